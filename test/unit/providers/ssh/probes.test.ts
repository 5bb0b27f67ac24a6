import { describe, expect, test, vi } from 'vitest';
import { quietContext, withTimeout } from '../../../../src/model/operationContext.ts';
import type { Probe } from '../../../../src/model/provider.ts';
import { Probes, type WantedProbe } from '../../../../src/providers/ssh/probes.ts';

const answer: Probe = { answered: true, latencyMs: 1 };

/** A host that says `silent` when the time is up, and notes what it was asked. */
function host(silent: (asked: number) => Probe) {
  const calls: (readonly WantedProbe[])[] = [];
  const probes = new Probes('far', async (wanted, { signal }) => {
    calls.push(wanted);
    const began = performance.now();
    if (wanted.some(([id]) => id === 'hangs')) {
      await new Promise(resolve => signal.addEventListener('abort', resolve));
      if (!(signal.reason instanceof Error && signal.reason.name === 'TimeoutError')) throw signal.reason;
    }
    return wanted.map(([id]) => (id === 'hangs' ? silent(performance.now() - began) : answer));
  });
  return { calls, probes };
}
const told = (latencyMs: number): Probe => ({ answered: false, latencyMs, seen: 'did not answer in time' });

describe('probes of one host', () => {
  test('that are wanted at once are one call, and each gets its own answer', async () => {
    const { calls, probes } = host(told);
    const ids = Array.from({ length: 50 }, (_, index) => `id${index}`);
    const answers = await Promise.all(ids.map(id => probes.probe([id, null], quietContext)));
    expect(answers).toEqual(ids.map(() => answer));
    expect(calls).toEqual([ids.map(id => [id, null])]);
  });

  test('of a server that is silent for the whole time say so', async () => {
    const { probes } = host(told);
    const [silent, well] = await Promise.all([
      probes.probe(['hangs', 1], withTimeout(quietContext, 100)),
      probes.probe(['well', 2], withTimeout(quietContext, 60_000)),
    ]);
    expect(silent).toMatchObject({ answered: false });
    expect(well).toEqual(answer);
  });

  test('that came to the host too late say nothing of the server', async () => {
    const { probes } = host(() => told(1));
    await expect(probes.probe(['hangs', 1], withTimeout(quietContext, 100))).rejects.toMatchObject({
      code: 'provider-unreachable',
    });
  });

  test('whose caller goes end for it alone', async () => {
    const { calls, probes } = host(told);
    const gone = new AbortController();
    const left = probes.probe(['hangs', 1], { ...quietContext, signal: gone.signal });
    const stays = probes.probe(['hangs', 2], withTimeout(quietContext, 200));
    await vi.waitFor(() => expect(calls).toHaveLength(1));
    gone.abort();
    await expect(left).rejects.toBe(gone.signal.reason);
    expect(await stays).toMatchObject({ answered: false });
    await expect(probes.probe(['any', 1], { ...quietContext, signal: gone.signal })).rejects.toBe(gone.signal.reason);
  });
});
