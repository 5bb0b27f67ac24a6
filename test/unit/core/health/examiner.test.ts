import { afterEach, expect, test, vi } from 'vitest';
import { Examiner } from '../../../../src/core/health/examiner.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import type { Provider } from '../../../../src/model/provider.ts';
import { answer, config, record, round, seen, silence } from './healthFacts.ts';

afterEach(() => vi.restoreAllMocks());

/** What is found out about an instance whose server was silent for so long, while the wall clock did this. */
async function silenceOf(spent: number, wallSpent: number) {
  const clocks = { wall: 1_000_000, mono: 5_000 };
  vi.spyOn(Date, 'now').mockImplementation(() => clocks.wall);
  vi.spyOn(performance, 'now').mockImplementation(() => clocks.mono);
  const probe = async () => {
    clocks.wall += wallSpent;
    clocks.mono += spent;
    return silence;
  };
  const provider = { abilities: { probe } } as unknown as Provider;
  const { probe: _, ...facts } = round({
    place: { kind: 'seen', observation: { ...record(), role: 'owner', port: 8000 } },
  });
  return (await new Examiner().examine(provider, record(), undefined, facts, config({ checkTimeout: 4 }), quietContext))
    .probe;
}

test.each([
  ['on time', 4_000, 4_000],
  ['a quarter of the time-out late', 5_000, 5_000],
  ['while the clocks parted by a second', 4_000, 5_000],
])('silence counts that ended %s', async (_, spent, wallSpent) => {
  expect(await silenceOf(spent, wallSpent)).toEqual(silence);
});

test.each([
  ['later than that: this window stood still', 5_001, 5_001],
  ['while this machine slept', 4_000, 5_001],
  ['while the clock was set back', 4_000, 2_999],
])('silence is none that ended %s (semantics 9)', async (_, spent, wallSpent) => {
  expect(await silenceOf(spent, wallSpent)).toBeUndefined();
});

test('what was heard while it was listed is not asked again', async () => {
  const place = seen({ port: 8000 });
  const probe = vi.fn(async () => silence);
  const heard = (row: unknown) => (place.kind === 'seen' && row === place.observation ? answer : undefined);
  const provider = { abilities: { probe, heard } } as unknown as Provider;
  const { probe: _, ...facts } = round({ place });
  const examined = (over: typeof facts) =>
    new Examiner().examine(provider, record(), undefined, over, config(), quietContext);
  expect((await examined(facts)).probe).toEqual(answer);
  expect(probe).not.toHaveBeenCalled();
  expect((await examined({ ...facts, place: seen({ port: 8000 }) })).probe).toEqual(silence);
});
