import { afterEach, describe, expect, test } from 'vitest';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import { defaultPolicy } from '../../../src/model/config.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import type { Provider } from '../../../src/model/provider.ts';
import type { StateHindrance } from '../../../src/model/stateHindrance.ts';
import type { BatchResult } from '../../../src/operations/batch.ts';
import { BlastRadius, DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { type Confirmation, OperationGate } from '../../../src/operations/operationGate.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { freeClaim } from '../../fakes/freeClaim.ts';
import { contentOf, fill } from '../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryStore } from '../../fakes/memoryStore.ts';
import { type MemorySwarmOptions, MemoryVault, memorySwarm } from '../../fakes/memorySwarm.ts';

const swarms: SwarmController[] = [];
afterEach(async () => {
  for (const swarm of swarms.splice(0)) await swarm.dispose();
});

async function windowOf(options: MemorySwarmOptions): Promise<SwarmController> {
  const { controller } = memorySwarm({ health: { enabled: false }, ...options });
  swarms.push(controller);
  await controller.initialize();
  await controller.refresh();
  return controller;
}

/** A person asks for it, and says yes after `meanwhile`. */
async function asked(controller: SwarmController, name: string, input: unknown, meanwhile: () => unknown = () => {}) {
  const budget = new BlastRadius(new MemoryStore(DestroyBudget), () => 0);
  const texts = { translate: inEnglish, warn: () => {} };
  const settings = () => ({ policy: defaultPolicy, agentDestroyLimit: 3 });
  const gate = new OperationGate(controller, { append: async () => {} }, budget, settings, texts);
  const questions: Confirmation[] = [];
  const confirm = async (question: Confirmation) => {
    questions.push(question);
    await meanwhile();
    return true;
  };
  const output = await gate.invoke(name, input, { ...quietContext, caller: 'person', actor: 'ada', confirm });
  const [first] = (output as Partial<BatchResult>).results ?? [];
  return { questions, outcome: first?.error?.code ?? first?.outcome, why: first?.error?.message };
}

describe('what is adopted is what a person was shown', () => {
  const owner = { user: 'ada', machine: 'engine' };
  async function scene() {
    const place = new MemoryPlace();
    const on = (swarmId: string) => windowOf({ swarmId, providers: [new MemoryProvider(place, { id: 'here' })] });
    const ann = await on('aaaaaaaaaaaaaaaa');
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    const [bob, eve] = [await on('bbbbbbbbbbbbbbbb'), await on('eeeeeeeeeeeeeeee')];
    const input = { found: [{ providerId: 'here', instanceId: id, name: 'web', owner }] };
    return { place, ann, bob, eve, id, input };
  }

  test('also when nothing happens meanwhile', async () => {
    const { place, bob, id, input } = await scene();
    expect(await asked(bob, 'adopt_swarm_instance', input)).toMatchObject({ outcome: 'done' });
    expect(place.instances.get(id)?.identity.swarmId).toBe(bob.swarmId);
  });

  test.each([true, false])('not what another one has adopted meanwhile, seen here (%s)', async isSeen => {
    const { place, bob, eve, id, input } = await scene();
    const meanwhile = async () => {
      await eve.adoptInstance('here', id);
      if (isSeen) await bob.refresh();
    };
    const { outcome } = await asked(bob, 'adopt_swarm_instance', input, meanwhile);
    expect(outcome).toBe('wrong-state');
    expect(place.instances.get(id)?.identity.swarmId).toBe(eve.swarmId);
  });

  test('not what was at rest, and is in use by now', async () => {
    const { place, ann, bob, id, input } = await scene();
    await ann.stopInstance(id);
    await bob.refresh();
    const meanwhile = async () => {
      await ann.startInstance(id);
      await bob.refresh();
    };
    const { questions, outcome, why } = await asked(bob, 'adopt_swarm_instance', input, meanwhile);
    expect(questions[0]?.detail).not.toContain('in use');
    expect([outcome, why]).toEqual(['wrong-state', expect.stringContaining('when its adoption was agreed to')]);
    expect(place.instances.get(id)?.identity.swarmId).toBe(ann.swarmId);
  });
});

test('a server is taken for ended only on the machine that a person was told of', async () => {
  const ann = await windowOf({});
  const { id } = await ann.createInstance({ name: 'web' });
  const given: string[] = [];
  const giveUpServer = async (instanceId: string) => {
    given.push(instanceId);
    return ann.getInstance(id);
  };
  Object.assign((ann.providers.all()[0] as Provider).abilities, { giveUpServer });
  const runsOn = (elsewhere: string) =>
    ann.registry.updateInstance(id, current => ({ ...current, status: 'unknown', elsewhere }));
  await runsOn('laptop');
  const { questions, outcome } = await asked(ann, 'take_over_instance', { instanceIds: [id] }, () => runsOn('desk'));
  expect(questions[0]?.title).toContain('laptop');
  expect([outcome, given]).toEqual(['runs-elsewhere', []]);
  expect((await asked(ann, 'take_over_instance', { instanceIds: [id] })).outcome).toBe('done');
  expect(given).toEqual([id]);
});

test('a state is taken over only from the machine that a person was told of', async () => {
  const from: (StateHindrance | undefined)[] = [];
  const hindrance = { why: 'elsewhere', host: 'laptop', since: '2026-01-01T00:00:00.000Z' } as const;
  const claim = { ...freeClaim, hindrance, takeOver: async (seen?: StateHindrance) => void from.push(seen) };
  const ann = await windowOf({ claim });
  const meanwhile = () => Object.assign(claim, { hindrance: { ...hindrance, host: 'desk' } });
  expect((await asked(ann, 'take_over_state', {}, meanwhile)).questions[0]?.title).toContain('laptop');
  expect(from).toEqual([hindrance]);
});

async function twoPlaces() {
  const vault = new MemoryVault();
  const [here, there] = ['here', 'there'].map(id => new MemoryProvider(new MemoryPlace(), { id }));
  if (!here || !there) throw new Error('no places');
  const ann = await windowOf({ providers: [here, there], vault });
  return { here, there, vault, ann };
}

test('the copy that is cleaned up is the one that was parked when a person agreed', async () => {
  const { here, there, ann } = await twoPlaces();
  const { id } = await ann.createInstance({ name: 'web' }, 'here');
  fill(here, id, 'as it was');
  const { id: migrationId } = await ann.migrations.createMigrationPlan(id, 'there');
  await ann.migrations.startMigration(migrationId);
  fill(there, id, 'newer work');
  const cleaning = asked(ann, 'clean_up_migration', { migrationId }, () => ann.migrations.rollBack(migrationId));
  await expect(cleaning).rejects.toMatchObject({
    code: 'migration-refused',
    message: expect.stringContaining('there'),
  });
  expect(contentOf(there, id)).toBe('newer work');
  await asked(ann, 'clean_up_migration', { migrationId });
  expect(there.place.instances.has(id)).toBe(false);
});

test('what agents have changed is undone as a person was shown it', async () => {
  const ann = await windowOf({});
  const by = (caller: 'agent' | 'person') => ({ ...quietContext, by: { caller, actor: 'x' } });
  const { id } = await ann.createInstance({ name: 'web', env: { A: '1' } });
  await ann.updateInstance(id, { env: {} }, by('agent'));
  const meanwhile = () => ann.updateInstance(id, { ports: [3000] }, by('person'));
  const undoing = asked(ann, 'undo_agent_changes', { instanceId: id }, meanwhile);
  await expect(undoing).rejects.toMatchObject({ code: 'wrong-state' });
  expect(ann.getInstance(id).config).toMatchObject({ env: {}, ports: [3000] });
  await asked(ann, 'undo_agent_changes', { instanceId: id });
  expect(ann.getInstance(id).config).toMatchObject({ env: { A: '1' }, ports: [3000] });
});

test.each(['follow_provider', 'follow_state'])(
  'what a provider knows better is as a person was shown it: %s',
  async act => {
    const { here, ann } = await twoPlaces();
    const { id } = await ann.createInstance({ name: 'web' }, 'here');
    const instance = here.place.instances.get(id);
    const later = (generation: number) => Object.assign(instance?.identity ?? {}, { generation });
    later(5);
    await ann.refresh();
    expect(ann.getInstance(id).overruled).toMatchObject({ by: 'provider', generation: 5 });
    const meanwhile = () => later(6);
    expect((await asked(ann, act, { instanceIds: [id] }, meanwhile)).outcome).toBe('wrong-state');
    expect(ann.getInstance(id).overruled).toMatchObject({ by: 'provider' });
    await ann.refresh();
    expect((await asked(ann, act, { instanceIds: [id] })).outcome).toBe('done');
  },
);

describe('a failover', () => {
  async function scene() {
    const world = await twoPlaces();
    const { here, ann } = world;
    const { id } = await ann.createInstance({ name: 'web', secretEnv: ['KEY', 'PIN'] }, 'here', quietContext, {
      ...{ KEY: 's3cret', PIN: '4711' },
    });
    fill(here, id, 'first');
    await ann.snapshots.takeSnapshot(id, quietContext);
    fill(here, id, 'second');
    const youngest = await ann.snapshots.takeSnapshot(id, quietContext);
    here.place.unreachable = true;
    await ann.refresh();
    return { ...world, id, youngest };
  }
  const failOver = (ann: SwarmController, instanceId: string, meanwhile?: () => unknown) =>
    asked(ann, 'fail_over_instance', { instanceId, targetProvider: 'there' }, meanwhile);

  test('brings back the snapshot that a person was shown', async () => {
    const { there, ann, id, youngest } = await scene();
    const meanwhile = () => ann.snapshots.deleteSnapshot(youngest.id, quietContext);
    await expect(failOver(ann, id, meanwhile)).rejects.toMatchObject({ code: 'fail-over-refused' });
    expect(there.place.instances.size).toBe(0);
    const { questions } = await failOver(ann, id);
    expect(questions[0]?.detail).toContain('Snapshot of "web"');
    expect(contentOf(there, id)).toBe('first');
  });

  test('loses only those values of secret variables that a person was told of', async () => {
    const { here, there, vault, ann, id } = await scene();
    await vault.store(id, { PIN: '4711' });
    const calls = there.place.calls.length;
    // The first time nobody agreed to it, the second time to less.
    await expect(ann.snapshots.failOver(id, 'there', quietContext)).rejects.toMatchObject({
      code: 'denied',
      message: expect.stringContaining('only its provider knows the value of KEY'),
    });
    await expect(failOver(ann, id, () => vault.forget(id))).rejects.toMatchObject({ code: 'denied' });
    expect([there.place.calls.slice(calls), there.place.instances.size]).toEqual([[], 0]);
    expect(ann.migrations.listMigrations()).toEqual([]);
    const { questions } = await failOver(ann, id);
    expect(questions[0]?.detail).toContain(
      'are not taken along: KEY, PIN. Have them at hand: you set them anew with Edit…',
    );
    expect(there.place.instances.get(id)?.running).toBe(true);
    here.place.unreachable = false;
  });
});
