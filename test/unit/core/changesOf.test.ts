import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { merged } from '../../../src/core/admission.ts';
import { configBeforeAgents, lastRename, secretNames, withWanted } from '../../../src/core/changesOf.ts';
import type { Asker } from '../../../src/model/caller.ts';
import type { InstanceRecord, InstanceUpdate } from '../../../src/model/instance.ts';
import { makeRecord } from '../operations/fakeSwarm.ts';

const agent: Asker = { caller: 'agent', actor: 'chat' };
const person: Asker = { caller: 'person', actor: 'ada' };
const noon = Date.UTC(2030, 0, 1, 12);

/** The record once its provider has followed. */
const changed = (record: InstanceRecord, update: InstanceUpdate, by: Asker, now = noon): InstanceRecord => {
  const { wanted, ...next } = withWanted(record, config => merged(config, update), by, now);
  return { ...next, config: wanted };
};

describe('what agents change', () => {
  test('is kept beside what persons had, however often they change it', () => {
    let record = changed(makeRecord(1), { secretEnv: ['TOKEN'], env: { A: '1' } }, person);
    expect(record.beforeAgents).toBeUndefined();
    record = changed(record, { secretEnv: [], env: {} }, agent);
    record = changed(record, { image: 'evil', ports: [1] }, agent);
    record = changed(record, { secretEnv: ['OTHER'] }, { caller: 'client', actor: 'cli' });
    expect(secretNames(record).sort()).toEqual(['OTHER', 'TOKEN']);
    expect(configBeforeAgents(record)).toMatchObject({ secretEnv: ['TOKEN'], env: { A: '1' }, ports: [] });
    expect(configBeforeAgents(record)?.image).toBeUndefined();
    expect(record.beforeAgents?.by).toEqual(agent);
  });

  test('what a person changes meanwhile holds', () => {
    let record = changed(makeRecord(1), { secretEnv: ['TOKEN'] }, person);
    record = changed(record, { secretEnv: [] }, agent);
    record = changed(record, { ports: [80] }, person);
    expect(configBeforeAgents(record)).toMatchObject({ secretEnv: ['TOKEN'], ports: [80] });
    record = changed(record, { secretEnv: ['TOKEN'] }, person);
    record = changed(record, { secretEnv: [] }, person);
    expect([configBeforeAgents(record), secretNames(record)]).toEqual([undefined, []]);
  });

  test('what a person leaves as it was shown stays as persons had it, entry by entry', () => {
    const had = { secretEnv: ['TOKEN', 'KEY'], env: { A: '1', B: '1' }, ports: [1, 2], resources: { pids: 64 } };
    let record = changed(makeRecord(1), had, person);
    record = changed(record, { secretEnv: [], env: { A: '2', C: '1' }, ports: [2, 3], resources: {} }, agent);
    record = changed(record, { secretEnv: ['NEW'] }, person);
    record = changed(record, { env: { A: '2', C: '1', D: '1' } }, person);
    record = changed(record, { ports: [3, 4], resources: { memoryMb: 512 } }, person);
    expect(record.config).toMatchObject({ secretEnv: ['NEW'], env: { A: '2', C: '1', D: '1' }, ports: [3, 4] });
    expect(configBeforeAgents(record)).toMatchObject({
      ...{ secretEnv: ['TOKEN', 'KEY', 'NEW'], env: { A: '1', B: '1', D: '1' }, ports: [1, 4] },
      resources: { pids: 64, memoryMb: 512 },
    });
  });

  test('a person who undoes, or puts all back by hand, leaves nothing to undo', () => {
    const record = changed(makeRecord(1), { secretEnv: ['TOKEN', 'KEY'], ports: [1, 2] }, person);
    const wiped = changed(record, { secretEnv: [], ports: [2, 1] }, agent);
    for (const update of [configBeforeAgents(wiped) ?? {}, { secretEnv: ['KEY', 'TOKEN'], ports: [1, 2] }])
      expect(configBeforeAgents(changed(wiped, update as InstanceUpdate, person))).toBeUndefined();
  });

  test('any row of changes: of what persons touched last their value is left, of the rest what there was first', () => {
    const Port = fc.integer({ min: 1, max: 4 });
    const update = fc.record(
      {
        ports: fc.uniqueArray(Port, { maxLength: 3 }),
        env: fc.dictionary(fc.constantFrom('A', 'B', 'C'), fc.constantFrom('1', '2')),
        name: fc.constantFrom('a', 'b'),
      },
      { requiredKeys: [] },
    );
    const first = { ...makeRecord(1), config: { ...makeRecord(1).config, ports: [1, 2], env: { A: '1', B: '1' } } };
    fc.assert(
      fc.property(fc.array(fc.tuple(update, fc.constantFrom(agent, person)), { maxLength: 12 }), changes => {
        let record: InstanceRecord = first;
        const ports = new Map([1, 2].map(port => [port, true]));
        const env = new Map<string, string | undefined>(Object.entries(first.config.env));
        let { name } = first.config;
        for (const [one, by] of changes) {
          const next = changed(record, one, by);
          const shown = record.config;
          record = next;
          if (by === agent) continue;
          name = one.name ?? name;
          for (const port of [1, 2, 3, 4])
            if (shown.ports.includes(port) !== next.config.ports.includes(port))
              ports.set(port, next.config.ports.includes(port));
          for (const key of ['A', 'B', 'C'])
            if (shown.env[key] !== next.config.env[key]) env.set(key, next.config.env[key]);
        }
        const left = configBeforeAgents(record) ?? record.config;
        expect(left.name).toBe(name);
        expect(left.ports.toSorted()).toEqual([1, 2, 3, 4].filter(port => ports.get(port)));
        expect(left.env).toEqual(Object.fromEntries([...env].filter(([, value]) => value !== undefined)));
      }),
      { seed: 45, numRuns: 300 },
    );
  });
});

describe('names it had', () => {
  test('are told for a day, the oldest always, with who gave the last', () => {
    let record = changed(makeRecord(1), { name: 'a' }, person);
    for (const name of 'bcdefgh') record = changed(record, { name }, agent);
    expect(lastRename(record, noon)).toEqual({
      from: ['box 1', 'd', 'e', 'f', 'g'],
      at: '2030-01-01T12:00:00.000Z',
      by: agent,
    });
    expect(lastRename(record, noon + 86_400_001)).toBeUndefined();
    record = changed(record, { name: 'z' }, person, noon + 86_400_001);
    expect(record.renamed?.from).toEqual(['h']);
  });

  test('another change leaves them', () => {
    const record = changed(changed(makeRecord(1), { name: 'a' }, agent), { ports: [1] }, person);
    expect(record.renamed).toMatchObject({ from: ['box 1'], by: agent });
  });
});
