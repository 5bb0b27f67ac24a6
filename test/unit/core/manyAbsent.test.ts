import { describe, expect, test } from 'vitest';
import { newSpec } from '../../contract/specs.ts';
import { MemoryLease, ObserverSeat } from '../../fakes/memoryLease.ts';
import type { MemoryCall } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';

const count = 400;

/** Another window observes: a place is looked at when the test wants it. */
function bystander(): MemoryLease {
  const seat = new ObserverSeat();
  new MemoryLease(seat).start();
  return new MemoryLease(seat);
}

/** A fleet, and how often its place was asked, how many times at once. */
async function fleet() {
  const { controller, place } = memorySwarm({ health: { enabled: false }, lease: bystander() });
  const provider = new MemoryProvider(place);
  for (let index = 0; index < count; index++) await provider.createInstance(newSpec(controller.swarmId));
  await controller.initialize();
  await controller.refresh();
  let calls: MemoryCall[] = [];
  let [now, most] = [0, 0];
  place.latency = async call => {
    calls.push(call);
    now += 1;
    most = Math.max(most, now);
    await new Promise(resolve => setImmediate(resolve));
    now -= 1;
  };
  /** What one look at the place costs. */
  const look = async (swarm = controller) => {
    [calls, most] = [[], 0];
    await swarm.refresh();
    return {
      calls: Object.fromEntries([...Map.groupBy(calls, call => call)].map(([call, all]) => [call, all.length])),
      most,
    };
  };
  const statuses = () => {
    const rows = Map.groupBy(controller.listInstances(), ({ status }) => status);
    return Object.fromEntries([...rows].map(([status, all]) => [status, all.length]));
  };
  return { place, look, statuses };
}

describe('a list that lacks many instances', () => {
  test('is disproved by one that is there, and nothing else is asked for then', async () => {
    const { place, look, statuses } = await fleet();
    place.freezeList([]);
    const { calls, most } = await look();
    console.log(`an empty list of ${count} instances that are there: ${JSON.stringify(calls)}, ${most} at once`);
    expect(calls.getInstance).toBe(1);
    expect(statuses()).toEqual({ running: count });
    place.freezeList(place.observations().slice(0, count / 4));
    expect((await look()).calls.getInstance).toBe(1);
    place.thawList();
    expect((await look()).calls.getInstance).toBeUndefined();
    expect(statuses()).toEqual({ running: count });
  });

  test('is believed when they are gone, asks for a few at a time, and for one after that', async () => {
    const { place, look, statuses } = await fleet();
    for (const id of [...place.instances.keys()]) await place.loseServer(id);
    const { calls, most } = await look();
    console.log(`${count} instances that are gone: ${JSON.stringify(calls)}, ${most} at once`);
    expect(calls.getInstance).toBe(2 * count);
    expect(most).toBeLessThanOrEqual(8);
    expect(statuses()).toEqual({ lost: count });
    // One stands for all that are known to be gone.
    expect((await look()).calls.getInstance).toBe(2);
  });

  test('says nothing when its place does not answer for one', async () => {
    const { place, look, statuses } = await fleet();
    place.freezeList([]);
    place.failNext('getInstance', new Error('it is overloaded'));
    expect((await look()).calls.getInstance).toBe(1);
    expect(statuses()).toEqual({ running: count });
  });

  test('and instances that are found again are asked for a few at a time', async () => {
    const { place, look } = await fleet();
    const { controller } = memorySwarm({ place, health: { enabled: false }, lease: bystander() });
    await controller.initialize();
    const { most } = await look(controller);
    await expect.poll(() => controller.listInstances().length).toBe(count);
    expect(most).toBeLessThanOrEqual(8);
  });
});
