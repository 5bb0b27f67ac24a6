import { describe, expect, test } from 'vitest';
import type { InstanceIdentity, VSCodeInstance } from '../../../../src/model/instance.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { Containers } from '../../../../src/providers/docker/containers.ts';
import type { DockerEngine } from '../../../../src/providers/docker/dockerEngine.ts';
import { containerName, type InstanceContainer, label } from '../../../../src/providers/docker/instanceContainer.ts';
import { InstanceOwnership } from '../../../../src/providers/docker/instanceOwnership.ts';
import type { InstanceReader } from '../../../../src/providers/docker/instanceReader.ts';
import type { ReservedFiles } from '../../../../src/providers/docker/reservedFiles.ts';
import { Turns } from '../../../../src/providers/turns.ts';

const owner = { user: 'ann', machine: 'desk' };
const identity: InstanceIdentity = {
  ...{ id: 'abcdefabcdef', swarmId: '0123456789abcdef', epoch: 1, owner, createdAt: '2026-01-02T03:04:05.000Z' },
};
const { id } = identity;
const heirOf = (swarmId: string) => ({ swarmId, epoch: 4, owner });
const [bob, eve] = [heirOf('b'.repeat(16)), heirOf('e'.repeat(16))];
const nameOf = (heir: typeof bob) => containerName({ ...identity, ...heir, generation: 1 }, 'owner');

/**
 * An engine with one container. As a real one it finds out by a name which container is meant before it takes that
 * container's lock, in the order of the calls: two renames by the same name may both succeed.
 */
class OneContainer {
  name = containerName(identity, 'owner');
  readonly #lock = new Turns();
  /** Done once a rename has ended, before it is answered. */
  onRenamed = () => {};

  readonly engine = {
    providerId: 'docker',
    call: async (_: string, __: unknown, work: (docker: unknown, signal: AbortSignal) => unknown) =>
      work(this.#docker, quietContext.signal),
  } as unknown as DockerEngine;

  readonly #docker = {
    listContainers: async () => [this.#row],
    getContainer: (called: string) => ({
      rename: async ({ name }: { name: string }) => {
        this.#resolve(called);
        await this.#lock.take('', async () => {
          if (name === this.name) throw statusError(400);
          this.name = name;
        });
        this.onRenamed();
      },
      inspect: async () => {
        this.#resolve(called);
        return this.#lock.take('', async () => ({ Name: `/${this.name}`, State: { Status: 'running' } }));
      },
    }),
  };

  get #row() {
    const { swarmId, epoch, createdAt } = identity;
    return {
      ...{ Id: 'c1', Names: [`/${this.name}`], Image: 'img:1', State: 'running', Status: 'Up', Created: 0, Ports: [] },
      Labels: {
        ...{ [label.swarm]: swarmId, [label.instance]: id, [label.epoch]: String(epoch), [label.created]: createdAt },
      },
    };
  }

  #resolve(called: string): void {
    if (called !== this.name && called !== 'c1') throw statusError(404);
  }
}

const statusError = (statusCode: number) => Object.assign(new Error(`HTTP code ${statusCode}`), { statusCode });
const statuses = (outcomes: readonly PromiseSettledResult<unknown>[]) => outcomes.map(({ status }) => status);
const seen = async (containers: Containers) => (await containers.find(id, quietContext)) as InstanceContainer;

describe('a rename', () => {
  test('of two at once, which an engine both grants, one is told that it is busy', async () => {
    const there = new OneContainer();
    const windows = [new Containers(there.engine), new Containers(there.engine)];
    const before = await seen(windows[0] as Containers);
    const names = [nameOf(bob), nameOf(eve)];
    const outcomes = await Promise.allSettled(
      windows.map((window, at) => window.rename(before, names[at] as string, quietContext)),
    );
    expect(statuses(outcomes)).toEqual(['rejected', 'fulfilled']);
    expect(outcomes[0]).toMatchObject({ reason: { code: 'instance-busy' } });
    expect(there.name).toBe(names[1]);
  });

  test('that somebody makes right after it is seen', async () => {
    const there = new OneContainer();
    const containers = new Containers(there.engine);
    there.onRenamed = () => {
      there.name = nameOf(eve);
    };
    const renamed = containers.rename(await seen(containers), nameOf(bob), quietContext);
    await expect(renamed).rejects.toMatchObject({ code: 'instance-busy' });
  });

  test('that is made once more, as after an answer that was lost, has been made', async () => {
    const there = new OneContainer();
    const containers = new Containers(there.engine);
    const before = await seen(containers);
    const rename = () => containers.rename(before, nameOf(bob), quietContext);
    expect(statuses(await Promise.allSettled([rename(), rename()]))).toEqual(['fulfilled', 'fulfilled']);
    await rename();
    expect(there.name).toBe(nameOf(bob));
  });
});

describe('a transfer', () => {
  const transfer = (there: OneContainer, heir: typeof bob, onWritten = () => {}) => {
    const written: string[] = [];
    const whole = async (container: InstanceContainer) =>
      ({ ...identity, ...container, config: { name: 'a' } }) as unknown as VSCodeInstance;
    const files = {
      write: async () => {
        written.push(there.name);
        onWritten();
      },
    } as unknown as ReservedFiles;
    const reader = { readWhole: whole, read: whole } as unknown as InstanceReader;
    const ownership = new InstanceOwnership(there.engine, new Containers(there.engine), files, reader, 'img:1');
    return { written, done: ownership.transfer(id, heir, { ...quietContext, claim: identity }) };
  };

  test('of two at once one has it, and the other writes nothing', async () => {
    const there = new OneContainer();
    const [first, second] = [transfer(there, bob), transfer(there, eve)];
    expect(statuses(await Promise.allSettled([first.done, second.done]))).toEqual(['rejected', 'fulfilled']);
    expect([there.name, first.written, second.written]).toEqual([nameOf(eve), [], [nameOf(eve)]]);
  });

  test('that somebody else makes while its record is written is seen', async () => {
    const there = new OneContainer();
    const { done } = transfer(there, bob, () => {
      there.name = nameOf(eve);
    });
    await expect(done).rejects.toMatchObject({ code: 'owned-by-another' });
  });
});
