import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import pLimit from 'p-limit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { defaultPolicy } from '../../src/model/config.ts';
import type { InstanceRecord } from '../../src/model/instance.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import type { BatchResult } from '../../src/operations/batch.ts';
import { BlastRadius, DestroyBudget } from '../../src/operations/blastRadius.ts';
import { OperationGate } from '../../src/operations/operationGate.ts';
import { diskController } from '../crash/diskController.ts';
import { MemoryStore } from '../fakes/memoryStore.ts';
import { type CountingDoor, openCountingDoor } from './support/countingDoor.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { EngineInstances, guardedDocker } from './support/engineInstances.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';

/** In the long form (REMOTE_SWARM_SOAK=1) and in the short one. */
const count = process.env.REMOTE_SWARM_SOAK === '1' ? 200 : 12;

/** The call that tells of all that is ours. */
const list = 'GET /containers/json remote-swarm.instance';

/** What the command Adopt All does. */
const gateOf = (swarm: SwarmController) =>
  new OperationGate(
    swarm,
    { append: async () => {} },
    new BlastRadius(new MemoryStore(DestroyBudget), () => 0),
    () => ({
      policy: defaultPolicy,
      agentDestroyLimit: 3,
    }),
  );
const person = { ...quietContext, caller: 'person', actor: 'ada', confirm: async () => true } as const;

/** What has to be as it was; whose it is, and when something was seen or written, is not part of it. */
const lasting = ({ id, createdAt, providerId, role, config, status, desired }: InstanceRecord) => ({
  ...{ id, createdAt, providerId, role, config, status, desired },
});
/** Whose it is. */
const owned = ({ id, swarmId, epoch, owner }: InstanceRecord) => ({ id, swarmId, epoch, owner });

describeWithOwnEngine(`${count} instances whose state directory is removed`, () => {
  let engine: Engine;
  let door: CountingDoor;
  let image: string;
  let directory: string;
  let before: InstanceRecord[];
  let areUnharmed: (() => Promise<void>)[];

  beforeAll(async () => {
    engine = await startEngine({ name: 'found' });
    door = await openCountingDoor(engine.socket, path.join(engine.root, 'door'));
    image = await ensureTestImage(engine.docker, 'stub');
    directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-found-'));
    const swarm = await open(engine.host);
    const limit = pLimit(4);
    const instances = new EngineInstances(engine);
    areUnharmed = await Promise.all(
      Array.from({ length: count }, (_, index) => limit(() => made(swarm, instances, index))),
    );
    before = swarm.listInstances();
    await swarm.dispose();
  }, 600_000);

  afterAll(async () => {
    await door?.close();
    await engine?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** A window; its monitor rests, so that what is asked of the engine is asked to find them. */
  async function open(endpoint: string): Promise<SwarmController> {
    const provider = await guardedDocker('engine', { endpoint, image });
    const swarm = await diskController(directory, new ProviderDirectory([provider]), undefined, { enabled: false });
    await swarm.initialize();
    return swarm;
  }

  /** Some stay as they were made, others are stopped, renamed, resized while they run, or put into the trash. */
  async function made(swarm: SwarmController, instances: EngineInstances, index: number) {
    const { id } = await swarm.createInstance(
      {
        name: `instance ${index}`,
        metadata: { place: String(index) },
        env: { PLACE: String(index) },
        resources: { memoryMb: 256, cpuCores: 0.5 },
      },
      'engine',
    );
    const isUnharmed = await instances.mark(id);
    const fate = index % 6;
    if (fate === 0) await swarm.updateInstance(id, { name: `renamed ${index}` });
    if (fate === 1) await swarm.updateInstance(id, { resources: { memoryMb: 320, cpuCores: 1 } });
    if (fate === 2) await swarm.deleteInstance(id);
    if (fate >= 3) await swarm.stopInstance(id, true);
    if (fate === 4) await swarm.updateInstance(id, { name: `stopped and renamed ${index}` });
    return fate === 2 ? async () => {} : isUnharmed;
  }

  const told = (what: string, since: number) =>
    console.log(
      `${count} instances, ${what}: ${Math.round(performance.now() - since)} ms; asked of the engine: ${JSON.stringify(Object.fromEntries(door.counts))}`,
    );
  const sorted = <R>(records: readonly InstanceRecord[], part: (record: InstanceRecord) => R) =>
    records.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(part);

  async function foundAgainAsTheyWere(swarm: SwarmController): Promise<void> {
    expect(sorted(swarm.listInstances(), lasting)).toEqual(sorted(before, lasting));
    for (const isUnharmed of areUnharmed) await isUnharmed();
  }

  test('the swarm id known: adopted by itself, as they were', async () => {
    await keepingOnly('swarm.json');
    door.reset();
    const since = performance.now();
    const swarm = await open(door.host);
    await vi.waitFor(() => expect(swarm.listInstances()).toHaveLength(count), { timeout: 120_000, interval: 10 });
    told('adopted by themselves', since);
    expect(door.counts.get(list)).toBe(1);
    expect(sorted(swarm.listInstances(), owned)).toEqual(sorted(before, owned));
    await foundAgainAsTheyWere(swarm);
    await swarm.dispose();
  });

  test('the swarm id lost: all are found, none is touched, and adopted they are as they were', async () => {
    await keepingOnly();
    door.reset();
    const since = performance.now();
    const swarm = await open(door.host);
    await vi.waitFor(() => expect(swarm.listFound()).toHaveLength(count), { timeout: 120_000, interval: 10 });
    told('found', since);
    expect(swarm.listInstances()).toEqual([]);
    expect(door.counts.get(list)).toBe(1);
    door.reset();
    const asked = performance.now();
    const found = swarm.listFound().map(({ providerId, observation: { id } }) => ({ providerId, instanceId: id }));
    const { results } = (await gateOf(swarm).invoke('adopt_swarm_instance', { found }, person)) as BatchResult;
    told('adopted by a person, all at once', asked);
    expect(results.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
    expect(results).toHaveLength(count);
    expect(swarm.listFound()).toEqual([]);
    // Each is looked at by itself, right before it is made this swarm's; all of them only when the engine tells of a change.
    expect(door.counts.get(`${list}=*`)).toBeLessThanOrEqual(3 * count);
    expect(door.counts.get(list) ?? 0).toBeLessThanOrEqual(count);
    const heirs = before.map(({ epoch, ...rest }) => ({ ...rest, swarmId: swarm.swarmId, epoch: epoch + 2 }));
    expect(sorted(swarm.listInstances(), owned)).toEqual(sorted(heirs, owned));
    await foundAgainAsTheyWere(swarm);
    await swarm.dispose();
  });

  /** As `rm -r` of the state directory, but for these. */
  async function keepingOnly(...files: string[]): Promise<void> {
    const kept = await mkdtemp(path.join(tmpdir(), 'remote-swarm-kept-'));
    for (const file of files) await cp(path.join(directory, file), path.join(kept, file));
    await rm(directory, { recursive: true });
    await cp(kept, directory, { recursive: true });
    await rm(kept, { recursive: true });
  }
});
