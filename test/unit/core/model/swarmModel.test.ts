import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { nextAct } from '../../../../src/core/migration/migrationSteps.ts';
import { modelEvents } from './modelEvents.ts';
import { ModelWorld, modelStates } from './modelWorld.ts';

const toFake = ['Date', 'performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const;
const seconds = 1_000;

/** The long form is one of many sequences, each part from another seed. */
const isLong = process.env.REMOTE_SWARM_SOAK === '1';
const sequencesEach = isLong ? 1_000 : 60;
const seeds = Array.from({ length: isLong ? 10 : 2 }, (_, index) => index + 1);

/** How often each event met each state, and the ladder each rung. */
const met = new Map(modelStates.flatMap(state => Object.keys(modelEvents).map(event => [`${event}, ${state}`, 0])));
const rungs = new Map([...['restart', 'recreate', 'migrate', 'crash loop']].map(rung => [rung, 0]));

beforeEach(() => void vi.useFakeTimers({ toFake: [...toFake], now: Date.parse('2026-03-01T12:00:00.000Z') }));
afterEach(() => void vi.useRealTimers());

const step = fc.record({
  event: fc.nat(),
  /** 0 is the youngest. */
  which: fc.oneof(fc.constant(0), fc.nat(23), fc.nat(23)),
  wait: fc.constantFrom(...Array.from({ length: 5 }, () => [0, 1, 5, 30, 30, 60]).flat(), 1_800),
});
const sequence = fc.record({
  /** A sequence of few kinds goes deeper than one of all. */
  kinds: fc.uniqueArray(fc.constantFrom(...Object.keys(modelEvents)), { minLength: 5, maxLength: 25, size: 'max' }),
  fleet: fc.constantFrom(3, 4, 4, 5, 5, 6, 21),
  steps: fc.array(step, { minLength: 30, maxLength: 40, size: 'max' }),
  jitter: fc.nat(),
});

test.each(seeds)(
  'whatever happens, the rules hold, and in the end everything is as it is wanted or says why not (seed %i)',
  async seed => {
    await fc.assert(
      fc.asyncProperty(sequence, async ({ kinds, fleet, steps, jitter }) => {
        const random = vi.spyOn(Math, 'random').mockImplementation(pseudoRandom(jitter));
        const world = new ModelWorld();
        await world.open();
        for (let made = 0; made < fleet; made += 1) world.create(made % 4 === 3 ? 'there' : 'here');
        await vi.advanceTimersByTimeAsync(0);
        try {
          for (const { event: kind, which, wait } of steps) {
            const event = kinds[kind % kinds.length] ?? '';
            world.meet();
            const id = world.ids.at(-1 - (which % Math.max(1, world.ids.length))) ?? '';
            const cell = `${event}, ${world.stateOf(id)}`;
            met.set(cell, (met.get(cell) ?? 0) + 1);
            await ended(modelEvents[event]?.(world, id));
            await vi.advanceTimersByTimeAsync(wait * seconds);
            world.witness.look();
            expect(world.witness.wrongs, `after "${event}" of ${id}`).toEqual([]);
          }
          await expectSettled(world);
          for (const [rung, count] of world.witness.rungs) rungs.set(rung, (rungs.get(rung) ?? 0) + count);
        } finally {
          // What waits in a slow place goes on only with the clock.
          await ended(world.dispose());
          random.mockRestore();
        }
      }),
      { numRuns: sequencesEach, seed, endOnFailure: true },
    );
  },
  isLong ? 3_600 * seconds : 120 * seconds,
);

afterAll(() => {
  const least = [...met].sort(([, one], [, other]) => one - other);
  const never = least.filter(([, count]) => count === 0).map(([cell]) => cell);
  console.log(
    `${seeds.length * sequencesEach} sequences, seeds ${seeds.join(', ')}; rungs: ${words(rungs)}; ` +
      `${met.size - never.length} of ${met.size} pairs of an event and a state; least: ${words(least.slice(0, 5))}`,
  );
  expect([...rungs].filter(([, count]) => count === 0)).toEqual([]);
  if (isLong) expect(never).toEqual([]);
});

/** Lets time pass for as long as the work takes. */
async function ended(work: unknown): Promise<void> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  Promise.resolve(work).then(over, over);
  for (let turn = 0; turn < 120 && !isOver; turn += 1) await vi.advanceTimersByTimeAsync(turn === 0 ? 0 : seconds);
  expect(isOver, 'it ends within two minutes').toBe(true);
}

/** Once every fault has ended, all that is wanted comes to be, or a person is told what is in its way. */
async function expectSettled(world: ModelWorld): Promise<void> {
  world.mend();
  let left: string[] = [];
  for (let minutes = 0; minutes < 90; minutes += 1) {
    await vi.advanceTimersByTimeAsync(60 * seconds);
    world.meet();
    world.witness.look();
    expect(world.witness.wrongs, 'while it settles').toEqual([]);
    left = [...world.waiting, ...world.ids.flatMap(id => unsettled(world, id) ?? [])];
    if (left.length === 0) break;
  }
  expect(left, 'what is not settled').toEqual([]);
  for (const id of world.ids) if (world.stateOf(id) === 'crash loop') world.witness.count('crash loop');
}

/** What is wrong with it; undefined when it is as it is wanted, or has a name and a reason. */
function unsettled(world: ModelWorld, id: string): string | undefined {
  const record = world.shown(id);
  const state = world.stateOf(id);
  const servers = [world.places.here, world.places.there].flatMap(place => place.instances.get(id) ?? []);
  const owners = servers.filter(({ role }) => role === 'owner');
  const runs = owners.some(({ running }) => running);
  const health = world.window.controller.health.get(id);
  const told = `${id} is ${state}: ${JSON.stringify({ record, health, owners: owners.length, runs })}`;
  // Of another swarm now: untouched until somebody adopts it.
  if (state === 'found') return undefined;
  if (owners.length > 1 || world.migrations(id).some(migration => nextAct(migration) !== 'nothing')) return told;
  switch (state) {
    case 'gone':
      return servers.length === 0 ? undefined : told;
    case 'paused':
      return undefined;
    case 'trashed':
      return record?.status === 'trashed' && owners.length === 0 ? undefined : told;
    case 'stopped':
      return ['stopped', 'lost'].includes(record?.status ?? '') && !runs ? undefined : told;
    case 'crash loop':
      return health?.recovery.crashLoop?.reason ? undefined : told;
    case 'failed':
      return record?.error ? undefined : told;
    case 'healthy':
      return record?.status === 'running' && runs ? undefined : told;
    case 'degraded':
      return health?.reason.startsWith('Its disk is full') ? undefined : told;
    case 'unhealthy':
      return /disk is full|no proof that they are gone/.test(health?.next?.act ?? '') ? undefined : told;
    default:
      return told;
  }
}

/** Numbers in [0, 1) that are the same for the same seed. */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const words = (counts: Iterable<[string, number]>) =>
  [...counts].map(([name, count]) => `${name} ${count}×`).join('; ');
