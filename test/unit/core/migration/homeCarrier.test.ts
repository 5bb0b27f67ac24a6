import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StreamCarrier } from '../../../../src/core/migration/homeCarrier.ts';
import { lockLost } from '../../../../src/model/errors.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import type { HomeProcess } from '../../../../src/model/provider.ts';
import { expectCode, failure } from '../../../contract/tools.ts';
import { loneContext } from '../../../fakes/loneProvider.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';

const none = { count: 0, names: [] };
const facts = { bytes: 1, files: 1, solid: 1, skipped: none, attributed: none, foreign: none };
const answer = JSON.stringify({ digest: 'a'.repeat(64), ...facts });

/** A program beside a home that says nothing until it is told to. */
class QuietProgram implements HomeProcess {
  readonly #said = Promise.withResolvers<void>();
  readonly done = this.#said.promise;
  readonly output = this.#answer();
  heard = 0;
  ended = false;
  written = 0;

  answer(): void {
    this.#said.resolve();
  }

  signs(): number {
    return this.heard;
  }

  async write(): Promise<void> {
    this.written += 1;
  }

  async end(): Promise<void> {
    this.ended = true;
  }

  async *#answer(): AsyncGenerator<Uint8Array> {
    await this.done;
    yield Buffer.from(answer);
  }
}

describe('programs beside homes', () => {
  let programs: QuietProgram[];
  let opening: Promise<void>;

  const place = (id: string) => {
    const provider = new MemoryProvider(undefined, { id });
    const openHome = async () => {
      await opening;
      const program = new QuietProgram();
      programs.push(program);
      return program;
    };
    Object.assign(provider.abilities, { openHome });
    return provider;
  };
  const carrier = new StreamCarrier();

  beforeEach(() => {
    vi.useFakeTimers();
    programs = [];
    opening = Promise.resolve();
  });
  afterEach(() => void vi.useRealTimers());

  test('of which nothing comes for a minute are given up, and ended', async () => {
    const failed = failure(carrier.copy(place('one'), place('other'), 'web', loneContext));
    await vi.advanceTimersByTimeAsync(59_000);
    expect(programs.map(({ ended }) => ended)).toEqual([false, false, false]);
    await vi.advanceTimersByTimeAsync(7_000);
    expect(await failed).toMatchObject({ code: 'home-silent', retryable: true });
    expect(String(await failed)).toContain('"other" or "one" for 60 s');
    expect(programs.map(({ ended }) => ended)).toEqual([true, true, true]);
  });

  test('may take as long as they need while one of them gives a sign', async () => {
    const looked = carrier.look(place('one'), 'web', quietContext);
    for (let minute = 0; minute < 120; minute++) {
      await vi.advanceTimersByTimeAsync(50_000);
      for (const program of programs) program.heard += 1;
    }
    programs[0]?.answer();
    expect(await looked).toMatchObject({ files: 1 });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('are not awaited before they are there', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    opening = promise;
    const looked = carrier.look(place('one'), 'web', quietContext);
    await vi.advanceTimersByTimeAsync(300_000);
    resolve();
    await vi.advanceTimersByTimeAsync(50_000);
    programs[0]?.answer();
    expect(await looked).toMatchObject({ files: 1 });
  });

  test('are not given up for time in which this window stood still', async () => {
    const looked = carrier.look(place('one'), 'web', quietContext);
    await vi.advanceTimersByTimeAsync(50_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    await vi.advanceTimersToNextTimerAsync();
    expect(programs[0]?.ended).toBe(false);
    programs[0]?.answer();
    expect(await looked).toMatchObject({ files: 1 });
  });

  test.each([
    ['end when the lock is lost', false],
    ['give a home nothing more after a stall in which the lock was lost', true],
  ])('%s', async (_, isStall) => {
    let isLost = false;
    const assertHeld = () => {
      if (isLost) throw lockLost('web');
    };
    const failed = failure(
      carrier.copy(place('one'), place('other'), 'web', { ...quietContext, lock: { assertHeld } }),
    );
    await vi.advanceTimersByTimeAsync(10_250);
    expect(programs.map(({ ended }) => ended)).toEqual([false, false, false]);
    isLost = true;
    const [list, outgoing] = programs;
    if (isStall) {
      // What was read already comes before any timer does.
      vi.setSystemTime(Date.now() + 6_000);
      vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 6_000);
      outgoing?.answer();
      await Promise.resolve();
    } else await vi.advanceTimersByTimeAsync(500);
    list?.answer();
    expect(await failed).toMatchObject({ code: 'lock-lost' });
    expect(programs.map(({ ended, written }) => [ended, written])).toEqual(Array(3).fill([true, 0]));
    vi.restoreAllMocks();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('end when nobody wants them any more', async () => {
    const abort = new AbortController();
    const failed = failure(carrier.look(place('one'), 'web', { ...quietContext, signal: abort.signal }));
    await vi.advanceTimersByTimeAsync(0);
    abort.abort(new Error('not wanted'));
    expect(await failed).toMatchObject({ message: 'not wanted' });
    expect(programs[0]?.ended).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    await expectCode(carrier.look(new MemoryProvider(), 'web', quietContext), 'home-missing');
  });
});
