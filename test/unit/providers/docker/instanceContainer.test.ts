import type Dockerode from 'dockerode';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InstanceRole } from '../../../../src/model/instance.ts';
import {
  type ContainerEnd,
  causeOf,
  containerName,
  primaryOf,
  readContainer,
  readName,
  replacedName,
} from '../../../../src/providers/docker/instanceContainer.ts';

const id = 'abcdefabcdef';
const row = (changes: Partial<Dockerode.ContainerInfo> = {}): Dockerode.ContainerInfo =>
  ({
    Id: 'c1',
    Names: [`/remote-swarm-${id}--owner`],
    Image: 'img:1',
    ImageID: `sha256:${'1'.repeat(64)}`,
    State: 'running',
    Status: 'Up 2 minutes',
    Created: 1_700_000_000,
    Ports: [{ IP: '127.0.0.1', PrivatePort: 8080, PublicPort: 34_000, Type: 'tcp' }],
    Labels: {
      'remote-swarm.swarm': '0123456789abcdef',
      'remote-swarm.instance': id,
      'remote-swarm.epoch': '2',
      'remote-swarm.created': '2026-01-02T03:04:05.000Z',
    },
    ...changes,
  }) as Dockerode.ContainerInfo;
const named = (suffix: string, changes: Partial<Dockerode.ContainerInfo> = {}) =>
  readContainer(row({ Names: [`/remote-swarm-${id}--${suffix}`], Id: suffix, ...changes }));

describe('a row of the list', () => {
  test('tells all of a running instance', () => {
    expect(readContainer(row())).toMatchObject({
      ...{ id, swarmId: '0123456789abcdef', epoch: 2, createdAt: '2026-01-02T03:04:05.000Z' },
      ...{ role: 'owner', status: 'running', port: 34_000, containerId: 'c1', replaced: false },
      pinnedImage: `sha256:${'1'.repeat(64)}`,
    });
    const Image = `img:1@sha256:${'2'.repeat(64)}`;
    expect(readContainer(row({ Image }))?.pinnedImage).toBe(Image);
  });

  test.each([
    ['created', 'Created', 'stopped', 'never started'],
    ['exited', 'Exited (0) 3 seconds ago', 'stopped', undefined],
    ['exited', 'Exited (143) 3 seconds ago', 'stopped', undefined],
    ['exited', 'Exited (137) 3 seconds ago', 'stopped', 'exited with code 137'],
    ['paused', 'Up 3 minutes (Paused)', 'stopped', 'paused'],
    ['restarting', 'Restarting (1) 1 second ago', 'starting', undefined],
    ['removing', 'Removal In Progress', 'deleting', undefined],
    ['dead', 'Dead', 'failed', 'The engine could not remove it'],
  ])('in state %s (%s) is %s', (State, Status, status, detail) => {
    const read = readContainer(row({ State, Status }));
    expect([read?.status, read?.detail, read?.port]).toEqual([status, detail, undefined]);
  });

  test('has its role in its name', () => {
    expect(named('trash')).toMatchObject({ role: 'trash', status: 'trashed' });
    expect(named('parked')).toMatchObject({ role: 'parked' });
    expect(named('owner-replaced')).toMatchObject({ role: 'owner', replaced: true });
  });

  test('is none of ours without label, or under a name that is not of its label', () => {
    expect(readContainer(row({ Labels: {} }))).toBeUndefined();
    expect(readContainer(row({ Names: ['/something'] }))).toBeUndefined();
    expect(readContainer(row({ Names: ['/remote-swarm-fedcbafedcba--owner'] }))).toBeUndefined();
    expect(named('thief')).toBeUndefined();
    expect(readContainer(row({ Names: [] }))).toBeUndefined();
  });

  test('that has its home, and a name of which nobody can tell what it is, is unknown', () => {
    const Mounts = [{ Name: `remote-swarm-${id}`, RW: true }] as Dockerode.ContainerInfo['Mounts'];
    const withHome = (Names: string[] | null, State = 'running') =>
      readContainer(row({ Names: Names as string[], State, Mounts }));
    for (const read of [withHome(['/something']), withHome([], 'dead'), withHome(null, 'removing')])
      expect(read).toMatchObject({ id, role: 'owner', status: 'unknown', untold: true });
    expect(withHome(['/something'])?.detail).toContain('"something"');
    const both = [withHome([`/remote-swarm-${id}--owner`]), withHome(['/something'])].flatMap(each => each ?? []);
    expect(primaryOf(both)?.untold).toBe(true);
  });
});

const title = fc.record({
  id: fc.stringMatching(/^[a-z0-9]{12}$/),
  swarmId: fc.stringMatching(/^[a-z0-9]{16}$/),
  epoch: fc.integer({ min: 1, max: 999_999_999_999 }),
  generation: fc.integer({ min: 0, max: 999_999_999_999 }),
});

describe('a name', () => {
  test('tells what it was made of, and fits an engine', () => {
    fc.assert(
      fc.property(title, fc.constantFrom(...InstanceRole.options), (one, role) => {
        const { generation, ...named } = one;
        const told = generation === 0 ? { id: one.id } : { ...named, generation };
        const name = containerName(one, role);
        expect(readName(name)).toEqual({ ...told, role, replaced: false });
        expect(readName(replacedName(one))).toEqual({ ...told, role: 'owner', replaced: true });
        expect(name).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,99}$/);
      }),
    );
  });

  test('is read in one way only', () => {
    const near = fc
      .tuple(title, fc.constantFrom(...InstanceRole.options), fc.string(), fc.nat(110))
      .map(([one, role, text, at]) => {
        const name = containerName(one, role);
        return name.slice(0, at) + text + name.slice(at);
      });
    fc.assert(
      fc.property(near, name => {
        const read = readName(name);
        if (!read) return;
        const { role, replaced, swarmId = '', epoch = 1, ...rest } = read;
        const again = { swarmId, epoch, ...rest };
        expect(replaced ? replacedName(again) : containerName(again, role)).toBe(name);
      }),
    );
  });

  test('wins over labels, which can not change', () => {
    expect(named('trash--7-3-bbbbbbbbbbbbbbbb')).toMatchObject({
      ...{ role: 'trash', swarmId: 'bbbbbbbbbbbbbbbb', epoch: 3, generation: 7 },
    });
    for (const odd of ['owner--0-3-bbbbbbbbbbbbbbbb', 'owner--7-3', 'owner--07-3-bbbbbbbbbbbbbbbb', 'trash-replaced'])
      expect(named(odd), odd).toBeUndefined();
  });
});

test('of several containers the owner stands for the instance, then the one in the trash', () => {
  const some = (...suffixes: string[]) => suffixes.map(suffix => named(suffix)).filter(each => each !== undefined);
  expect(primaryOf(some('owner-replaced', 'trash', 'owner'))?.containerId).toBe('owner');
  expect(primaryOf(some('owner-replaced', 'trash'))?.containerId).toBe('trash');
  expect(primaryOf(some('owner-replaced'))?.containerId).toBe('owner-replaced');
  expect(primaryOf([])).toBeUndefined();
});

// What a Docker engine 20.10 was seen to say.
test.each([
  ['a container that was never started', 'created', 0, false, undefined],
  ['a program that is not there, without an init', 'created', 127, false, 'bad-config'],
  ['a program that is not there, with one', 'exited', 127, false, 'bad-config'],
  ['a program that can not be run', 'exited', 126, false, 'bad-config'],
  ['a port that is taken', 'created', 128, false, 'exited'],
  ['an end with an error', 'exited', 3, false, 'exited'],
  ['a polite stop', 'exited', 143, false, undefined],
  ['a polite stop after memory ran out elsewhere inside', 'exited', 143, true, undefined],
  ['a server that ended well', 'exited', 0, false, undefined],
  ['a forced stop, or somebody else’s kill', 'exited', 137, false, undefined],
  ['memory that ran out', 'exited', 137, true, 'out-of-memory'],
  ['an error after memory ran out elsewhere inside', 'exited', 5, true, 'exited'],
  ['a container that runs, though memory ran out once', 'running', 0, true, undefined],
  ['a container that is paused', 'paused', 0, false, undefined],
  ['a container that the engine could not remove', 'dead', 1, false, 'exited'],
])('the cause of %s', (_, Status, ExitCode, OOMKilled, cause) => {
  expect(causeOf({ Status, ExitCode, OOMKilled } as ContainerEnd)).toBe(cause);
});
