import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Disposable } from '../../../src/model/event.ts';
import type { RecordStore } from '../../../src/model/stateStore.ts';
import { type Counter, counter, increment } from './counter.ts';

/** What every {@link RecordStore} promises. `open` answers with two windows on one fresh, empty place. */
export function recordStoreSuite(
  name: string,
  open: () => Promise<{ one: RecordStore<Counter>; other: RecordStore<Counter> }>,
): void {
  describe(`${name} is a record store`, () => {
    const disposables: Disposable[] = [];
    const heardBy = (store: RecordStore<Counter>) => {
      const heard: string[] = [];
      disposables.push(store.watch(id => heard.push(id)));
      return heard;
    };
    afterEach(() => {
      for (const disposable of disposables.splice(0)) disposable.dispose();
    });

    test('an empty place holds nothing', async () => {
      const { one } = await open();
      expect(await one.load()).toEqual({ records: [], quarantined: [], unread: [] });
      expect(await one.read('aaaa')).toBeNull();
    });

    test('what one window writes, another reads and loads; each write raises the revision', async () => {
      const { one, other } = await open();
      expect(await one.update('aaaa', () => counter('aaaa', 5))).toEqual({ ...counter('aaaa', 5), revision: 1 });
      expect(await other.update('aaaa', increment('aaaa'))).toEqual({ ...counter('aaaa', 6), revision: 2 });
      expect(await one.read('aaaa')).toEqual({ ...counter('aaaa', 6), revision: 2 });
      await one.update('bbbb', increment('bbbb'));
      const { records } = await other.load();
      expect(records.map(({ id, count }) => [id, count]).sort()).toEqual([
        ['aaaa', 6],
        ['bbbb', 1],
      ]);
    });

    test('the same object leaves the record, null removes it', async () => {
      const { one, other } = await open();
      await one.update('aaaa', increment('aaaa'));
      expect(await one.update('aaaa', current => current)).toMatchObject({ revision: 1 });
      expect(await one.update('bbbb', current => current)).toBeNull();
      expect(await other.update('aaaa', () => null)).toBeNull();
      expect(await one.read('aaaa')).toBeNull();
      expect((await one.load()).records).toEqual([]);
    });

    test('a change that throws, or answers with nonsense, changes nothing', async () => {
      const { one } = await open();
      await one.update('aaaa', increment('aaaa'));
      const failing = one.update('aaaa', () => {
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      const nonsense = { ...counter('aaaa'), count: 'many' } as unknown as Counter;
      await expect(one.update('aaaa', () => nonsense)).rejects.toMatchObject({ code: 'invalid-input' });
      await expect(one.update('aaaa', () => counter('bbbb'))).rejects.toMatchObject({ code: 'invalid-input' });
      expect((await one.load()).records).toEqual([{ ...counter('aaaa', 1), revision: 1 }]);
    });

    test('an id that is none is refused', async () => {
      const { one } = await open();
      for (const id of ['../a', '', 'a', 'AAAA', 'a\0aa', 'aaaa/../b']) {
        await expect(one.update(id, increment(id))).rejects.toMatchObject({ code: 'invalid-input' });
        await expect(one.read(id)).rejects.toMatchObject({ code: 'invalid-input' });
        expect(() => one.fileOf(id)).toThrow();
      }
      expect((await one.load()).records).toEqual([]);
    });

    test('no update is lost, whoever makes it and in whatever order', async () => {
      const step = fc.record({ window: fc.integer({ min: 0, max: 1 }), id: fc.constantFrom('aaaa', 'bbbb', 'cccc') });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
          const { one, other } = await open();
          await Promise.all(steps.map(({ window, id }) => (window === 0 ? one : other).update(id, increment(id))));
          for (const id of ['aaaa', 'bbbb', 'cccc']) {
            const count = steps.filter(step => step.id === id).length;
            const record = await one.read(id);
            expect([record?.count ?? 0, record?.revision ?? 0]).toEqual([count, count]);
          }
        }),
        { numRuns: 15 },
      );
    });

    test('a window hears of the changes of others, of each once, and never of its own', async () => {
      const { one, other } = await open();
      const heard = heardBy(one);
      await one.update('aaaa', increment('aaaa'));
      await other.update('bbbb', increment('bbbb'));
      await vi.waitFor(() => expect(heard).toEqual(['bbbb']));
      await other.update('aaaa', increment('aaaa'));
      await vi.waitFor(() => expect(heard).toEqual(['bbbb', 'aaaa']));
      await one.update('aaaa', increment('aaaa'));
      await other.update('bbbb', () => null);
      await vi.waitFor(() => expect(heard).toEqual(['bbbb', 'aaaa', 'bbbb']));
    });

    test('who no longer listens hears nothing, and others still do', async () => {
      const { one, other } = await open();
      const silent: string[] = [];
      one.watch(id => silent.push(id)).dispose();
      const heard = heardBy(one);
      await other.update('aaaa', increment('aaaa'));
      await vi.waitFor(() => expect(heard).toEqual(['aaaa']));
      expect(silent).toEqual([]);
    });
  });
}
