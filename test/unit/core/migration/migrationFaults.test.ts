import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { providerUnreachable } from '../../../../src/model/errors.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';
import { expectFoundAgain, expectSettled, homeText, MortalWorld } from './mortalSwarm.ts';

const cases = (['stop-and-recreate', 'create-then-stop'] as const).flatMap(strategy =>
  [true, false].map(runs => ({ strategy, runs })),
);

/** How many moments an undisturbed migration has. */
async function momentsOf(strategy: (typeof cases)[number]['strategy'], runs: boolean): Promise<number> {
  const world = new MortalWorld();
  const window = await world.planned(strategy, runs);
  expect(await window.controller.migrations.startMigration(window.migrationId)).toMatchObject({ status: 'completed' });
  const { moments } = window.life;
  await expectSettled(world, window, runs);
  await window.controller.dispose();
  expect(moments).toBeGreaterThan(50);
  return moments;
}

describe.each(cases)('$strategy of an instance that runs: $runs', ({ strategy, runs }) => {
  test('whenever the process dies, the next one ends it whole or takes all of it back', async () => {
    const moments = await momentsOf(strategy, runs);
    const ends = new Set<string>();
    for (let last = 1; last <= moments; last += 1) {
      const world = new MortalWorld();
      const { controller, life, migrationId } = await world.planned(strategy, runs);
      life.at = moment => {
        if (moment >= last) throw new Error('dead');
      };
      await controller.migrations.startMigration(migrationId).catch(() => {});
      const next = await world.reopen();
      await expectSettled(world, next, runs);
      ends.add(next.controller.migrations.getMigrationStatus(migrationId).status);
      await next.controller.dispose();
      await controller.dispose();
    }
    expect(ends).toEqual(new Set(['pending', 'failed', 'completed']));
  });

  test('whenever the process dies and the state is lost, the next one finds one whole owner, and no rest', async () => {
    const moments = await momentsOf(strategy, runs);
    const ends = new Set<string>();
    for (let last = 1; last <= moments; last += 1) {
      const world = new MortalWorld();
      const { controller, life, migrationId } = await world.planned(strategy, runs);
      life.at = moment => {
        if (moment >= last) throw new Error('dead');
      };
      await controller.migrations.startMigration(migrationId).catch(() => {});
      world.forgetState();
      const next = await world.open();
      ends.add(await expectFoundAgain(world, next));
      await next.controller.dispose();
      await controller.dispose();
    }
    expect(ends).toEqual(new Set(['here', 'there']));
  });

  test('whenever one call fails, or its answer is lost, the same holds', async () => {
    const moments = await momentsOf(strategy, runs);
    for (let bad = 1; bad <= moments; bad += 1) {
      const world = new MortalWorld();
      const window = await world.planned(strategy, runs);
      window.life.at = moment => {
        if (moment === bad) throw providerUnreachable('there', 'connection reset', 'Try again.');
      };
      await window.controller.migrations.startMigration(window.migrationId).catch(() => {});
      window.life.at = () => {};
      await expectSettled(world, window, runs);
      await window.controller.dispose();
    }
  });

  test('whenever it is cancelled, all of it is taken back, or it is too late', async () => {
    const moments = await momentsOf(strategy, runs);
    const ends = new Set<string>();
    for (let stop = 1; stop <= moments; stop += 1) {
      const world = new MortalWorld();
      const window = await world.planned(strategy, runs);
      const cancel = new AbortController();
      window.life.at = moment => {
        if (moment === stop) cancel.abort();
      };
      const { controller, migrationId } = window;
      const { status } = await controller.migrations.startMigration(migrationId, {
        ...quietContext,
        signal: cancel.signal,
      });
      await expectSettled(world, window, runs);
      ends.add(status);
      await controller.dispose();
    }
    expect(ends).toEqual(new Set(['cancelled', 'completed']));
  });
});

test('whenever the process dies while it is rolled back, the next one ends that', async () => {
  const rolledBack = async (last: number) => {
    const world = new MortalWorld();
    const { controller, life, migrationId } = await world.planned('stop-and-recreate', true);
    await controller.migrations.startMigration(migrationId);
    life.moments = 0;
    life.at = moment => {
      if (moment >= last) throw new Error('dead');
    };
    await controller.migrations.rollBack(migrationId).catch(() => {});
    const next = await world.reopen();
    await next.controller.migrations.settleAll();
    const { rolledBackAt } = next.controller.migrations.getMigrationStatus(migrationId);
    // Until that is written the person has only seen it stopped.
    if (rolledBackAt === undefined) await next.controller.startInstance(world.id);
    await expectSettled(world, next, true);
    await next.controller.dispose();
    await controller.dispose();
    return { moments: life.moments, rolledBackAt };
  };
  const { moments } = await rolledBack(Number.POSITIVE_INFINITY);
  const ends = new Set<boolean>();
  for (let last = 1; last <= moments; last += 1) ends.add((await rolledBack(last)).rolledBackAt !== undefined);
  expect(ends).toEqual(new Set([false, true]));
});

test('a home that is not the same at the target fails it, and the source is as it was', async () => {
  const world = new MortalWorld();
  const window = await world.planned('stop-and-recreate', true);
  window.corrupt();
  const ended = await window.controller.migrations.startMigration(window.migrationId);
  expect(ended).toMatchObject({ status: 'failed', error: { code: 'homes-differ' } });
  expect(ended.steps.find(({ step }) => step === 'verify-target')?.status).toBe('undone');
  await expectSettled(world, window, true);
  await window.controller.dispose();
});

test('a migration that hangs is timed out, and all of it is taken back', async () => {
  const world = new MortalWorld();
  const window = await world.planned('stop-and-recreate', true, { timeout: 0.05 });
  world.places.there.hang('prepareIncoming');
  const ended = await window.controller.migrations.startMigration(window.migrationId);
  expect(ended).toMatchObject({ status: 'timed-out', error: { code: 'timed-out' } });
  await expectSettled(world, window, true);
  await window.controller.dispose();
});

test('a target that is gone leaves a leftover by name until it is back; the source runs meanwhile', async () => {
  const world = new MortalWorld();
  const window = await world.planned('stop-and-recreate', true);
  const { controller, migrationId } = window;
  world.places.there.loseReply('prepareIncoming');
  world.places.there.latency = async call => {
    if (call !== 'prepareIncoming') return;
    queueMicrotask(() => {
      world.places.there.unreachable = true;
    });
  };
  const given = await controller.migrations.startMigration(migrationId);
  expect(given).toMatchObject({ status: 'in-progress', leftovers: [expect.stringContaining('"there"')] });
  expect(world.seen('here')).toMatchObject({ role: 'owner', running: true });
  await expect(controller.stopInstance(world.id)).resolves.toMatchObject({ status: 'stopped' });
  await controller.startInstance(world.id);
  world.places.there.unreachable = false;
  world.places.there.latency = async () => {};
  await expectSettled(world, window, true);
  expect(controller.migrations.getMigrationStatus(migrationId).status).toBe('failed');
  await controller.dispose();
});

test('after the pivot there is only forward, and cancelling says so', async () => {
  const world = new MortalWorld();
  const { controller, migrationId } = await world.planned('stop-and-recreate', true);
  await controller.migrations.startMigration(migrationId);
  await expect(controller.migrations.cancelMigration(migrationId)).rejects.toMatchObject({
    code: 'migration-refused',
    hint: expect.stringContaining('migrate back'),
  });
  await controller.dispose();
});

test('what is parked is kept for a day that was observed, and then removed by the observer', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const world = new MortalWorld();
  const window = await world.planned('stop-and-recreate', true);
  await window.controller.migrations.startMigration(window.migrationId);
  const look = () => window.controller.migrations.settleAll();
  await look();
  for (const jump of [40, -80, 40]) {
    vi.setSystemTime(Date.now() + jump * 86_400_000);
    await look();
  }
  await vi.advanceTimersByTimeAsync(86_400_000 - 3_600_000);
  await look();
  expect(world.seen('here')).toMatchObject({ role: 'parked', content: homeText });
  await vi.advanceTimersByTimeAsync(7_200_000);
  await look();
  expect(world.seen('here')).toMatchObject({ role: undefined, content: undefined });
  expect(world.seen('there')).toMatchObject({ role: 'owner', running: true, content: homeText });
  await window.controller.dispose();
});

test('a copy that is parked or on its way is never adopted as another instance', async () => {
  const world = new MortalWorld();
  const window = await world.planned('stop-and-recreate', true);
  await window.controller.migrations.startMigration(window.migrationId);
  await window.controller.dispose();
  world.forgetState();
  const { controller } = await world.open();
  await controller.refresh();
  expect(controller.listInstances()).toMatchObject([{ id: world.id, providerId: 'there', epoch: 2 }]);
  await controller.dispose();
});

test('a copy that another swarm has parked is not offered for adopting', async () => {
  const world = new MortalWorld();
  const { controller, migrationId } = await world.planned('stop-and-recreate', true);
  await controller.migrations.startMigration(migrationId);
  await controller.dispose();
  const providers = [
    new MemoryProvider(world.places.here, { id: 'here' }),
    new MemoryProvider(world.places.there, { id: 'there' }),
  ];
  const other = memorySwarm({ swarmId: 'bbbbbbbbbbbbbbbb', providers }).controller;
  await other.initialize();
  await other.refresh();
  expect(other.listFound()).toMatchObject([{ providerId: 'there', observation: { id: world.id, role: 'owner' } }]);
  await other.dispose();
});
