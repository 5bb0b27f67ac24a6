import * as fs from 'node:fs';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  defaultHealthConfig,
  defaultMigrationConfig,
  defaultPolicy,
  defaultSnapshotConfig,
} from '../../../src/model/config.ts';
import type { InstanceRecord } from '../../../src/model/instance.ts';
import type { Quarantined } from '../../../src/model/stateStore.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { instanceLayout } from '../../../src/providers/editorServer.ts';
import { InstanceFolders } from '../../../src/providers/local/instanceFolders.ts';
import { LinuxProcesses } from '../../../src/providers/local/linuxProcesses.ts';
import { buildSwarm } from '../../../src/swarm.ts';
import { newSpec } from '../../contract/specs.ts';
import { MemoryVault } from '../../fakes/memorySwarm.ts';
import { testMachine } from '../../fakes/testMachine.ts';
import { idOf, makeRecord } from '../operations/fakeSwarm.ts';
import { scratchDirectory } from '../storage/scratch.ts';
import { expectReadable, filesBelow, latin } from './place.ts';

const swarmId = 'swarm00000000000';
const [badId, goodId] = [idOf(1), idOf(2)];
const junk = fc.oneof(
  fc.constantFrom('', '{', 'null', '[]', '{"schemaVersion":1}', `{"id":"../../${goodId}","schemaVersion":1}`),
  fc.string(),
);

/** A state directory with two records, and a local provider on which both instances lie, stopped. */
async function makeWorld() {
  const root = scratchDirectory();
  const [state, instances] = [path.join(root, 'state'), path.join(root, 'instances')];
  fs.mkdirSync(path.join(state, 'instances'), { recursive: true });
  fs.mkdirSync(instances);
  fs.writeFileSync(path.join(state, 'swarm.json'), JSON.stringify({ schemaVersion: 1, swarmId }));
  const folders = new InstanceFolders(instances, new LinuxProcesses(testMachine));
  const records: InstanceRecord[] = [];
  for (const [number, id] of [badId, goodId].entries()) {
    const { identity, secrets, ...config } = newSpec(swarmId, { name: `box ${number}`, env: { MODE: 'test' } });
    const { layout } = await folders.make({ ...config, secrets, identity: { ...identity, id } });
    fs.writeFileSync(path.join(layout.workspace, 'work'), 'uncommitted');
    const is = { providerId: 'here', status: 'stopped', desired: 'stopped', revision: 1 } as const;
    records.push(makeRecord(number + 1, { ...identity, id, config, ...is }));
  }
  // Enough of an editor server to be taken for one; nothing is ever started here.
  fs.writeFileSync(path.join(root, 'code'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const fileOf = (id: string) => path.join(state, 'instances', `${id}.json`);
  for (const record of records) fs.writeFileSync(fileOf(record.id), JSON.stringify(record));
  return { root, state, instances, records, fileOf };
}

/** The extension on it, after it has looked at its provider. */
async function open({ root, state, instances }: Awaited<ReturnType<typeof makeWorld>>) {
  const told: Quarantined[] = [];
  const core = await buildSwarm({
    storageDirectory: path.join(root, 'storage'),
    launcher: root,
    config: () => ({
      stateDirectory: state,
      defaultProviderType: '',
      loadStateOnStartup: true,
      autoSaveInterval: 3600,
      enabledProviders: ['here'],
      providers: [{ id: 'here', type: 'local', directory: instances, server: path.join(root, 'code') }],
      policy: { ...defaultPolicy, agent: { ...defaultPolicy.agent, destroy: 'allow' } },
      agentDestroyLimit: 3,
      health: defaultHealthConfig,
      migration: defaultMigrationConfig,
      snapshots: defaultSnapshotConfig,
    }),
    rejectedProviders: () => [],
    vault: new MemoryVault(),
    readSecret: async () => undefined,
    writeSecret: async () => {},
    gitCredential: () => undefined,
    texts: { translate: inEnglish, warn: () => {} },
    creations: new Map(),
    unreadable: found => told.push(found),
  });
  onTestFinished(() => core.dispose());
  const look = () => core.controller.refresh();
  await look();
  const call = { actor: 'test', signal: new AbortController().signal, report: () => {}, confirm: async () => true };
  const as = (caller: 'agent' | 'person', name: string, input: object) =>
    // biome-ignore lint/suspicious/noExplicitAny: the type differs by operation
    core.gate.invoke(name, input, { ...call, caller }) as Promise<any>;
  return { core, controller: core.controller, told, look, as };
}

describe('a record that cannot be read', () => {
  test('lies in quarantine and is reported, the others load, and its instance is found again where it lives', async () => {
    await fc.assert(
      fc.asyncProperty(junk, async text => {
        const world = await makeWorld();
        fs.writeFileSync(world.fileOf(badId), text);
        const before = filesBelow(world.instances);
        const { controller, told, as, core } = await open(world);
        const [found] = told;
        expect(told).toHaveLength(1);
        expect(path.dirname(found?.file ?? '')).toBe(path.join(world.state, 'instances', 'quarantine'));
        expect(fs.readFileSync(found?.file ?? '', 'utf8')).toBe(text);
        expectReadable(found?.reason);
        expect(controller.getSwarmStatus().quarantined).toEqual(told);
        const { unreadableFiles } = await as('agent', 'get_swarm_status', {});
        expect(unreadableFiles).toEqual([expect.stringContaining('quarantine')]);
        expect(controller.getInstance(goodId)).toEqual(world.records[1]);
        expect(controller.getInstance(badId)).toMatchObject({ config: world.records[0]?.config, status: 'stopped' });
        expect(controller.listInstances()).toHaveLength(2);
        expect(filesBelow(world.instances)).toEqual(before);
        await core.dispose();
      }),
      { numRuns: 8 },
    );
  }, 30_000);

  test('while the window is open is reported too', async () => {
    const world = await makeWorld();
    const { controller, told, look } = await open(world);
    expect(told).toEqual([]);
    fs.writeFileSync(world.fileOf(goodId), 'a person saved half of it');
    await vi.waitFor(() => expect(told).toEqual([{ file: expect.any(String), reason: expect.any(String) }]));
    expect(fs.readFileSync(told[0]?.file ?? '', 'utf8')).toBe('a person saved half of it');
    expect(controller.getSwarmStatus().quarantined).toEqual(told);
    await look();
    expect(controller.getInstance(goodId)).toMatchObject({ config: world.records[1]?.config, status: 'stopped' });
  });

  test('because it is of a newer version stays, and nothing is done about its instance', async () => {
    const world = await makeWorld();
    const text = JSON.stringify({ schemaVersion: 2, id: badId, desired: { state: 'absent' } });
    fs.writeFileSync(world.fileOf(badId), text);
    const before = filesBelow(world.instances);
    const { controller, told, look, as } = await open(world);
    await look();
    expect(told).toEqual([{ file: world.fileOf(badId), reason: expect.stringContaining('newer version') }]);
    expect(controller.listInstances().map(({ id }) => id)).toEqual([goodId]);
    await expect(as('person', 'purge_swarm_instance', { instanceIds: [badId] })).rejects.toMatchObject({
      code: 'instance-not-found',
    });
    await expect(controller.adoptInstance('here', badId)).rejects.toMatchObject({ code: 'newer-state' });
    expect(fs.readFileSync(world.fileOf(badId), 'utf8')).toBe(text);
    expect(filesBelow(world.instances)).toEqual(before);
  });
});

describe('the identity of the swarm', () => {
  test('that cannot be read is made anew and reported; records and instances stay', async () => {
    await fc.assert(
      fc.asyncProperty(junk, async text => {
        const world = await makeWorld();
        fs.writeFileSync(path.join(world.state, 'swarm.json'), text);
        const before = filesBelow(world.instances);
        const { controller, told, core } = await open(world);
        expect(told).toEqual([
          { file: expect.stringContaining(path.join('state', 'quarantine')), reason: expect.any(String) },
        ]);
        expect(fs.readFileSync(told[0]?.file ?? '', 'utf8')).toBe(text);
        expectReadable(told[0]?.reason);
        expect(controller.getSwarmStatus().quarantined).toEqual(told);
        expect(controller.swarmId).not.toBe(swarmId);
        expect([controller.getInstance(badId), controller.getInstance(goodId)]).toEqual(world.records);
        expect(filesBelow(world.instances)).toEqual(before);
        await core.dispose();
      }),
      { numRuns: 6 },
    );
  }, 30_000);

  test('of a newer version lets nothing begin', async () => {
    const world = await makeWorld();
    fs.writeFileSync(path.join(world.state, 'swarm.json'), '{"schemaVersion":2,"swarm":{}}');
    const before = filesBelow(world.root);
    await expect(open(world)).rejects.toMatchObject({ code: 'newer-state' });
    // Whose the directory is was said before.
    const { 'state/machine.json': claim, ...left } = filesBelow(world.root);
    expect(claim).toContain(testMachine.id);
    expect(left).toEqual(before);
  });
});

describe('the record of what agents deleted', () => {
  const file = 'agent-destroys/agent.json';
  async function openWith(text: string) {
    const world = await makeWorld();
    fs.mkdirSync(path.join(world.state, 'agent-destroys'));
    fs.writeFileSync(path.join(world.state, file), text);
    return { world, ...(await open(world)) };
  }

  test('that cannot be read is reported when it is needed', async () => {
    const { world, told, as, controller } = await openWith('{"id":"agent","spent":"../"}');
    await as('agent', 'delete_swarm_instance', { instanceIds: [badId] });
    expect(controller.getInstance(badId).status).toBe('trashed');
    expect(told).toEqual([{ file: expect.stringContaining('quarantine'), reason: expect.stringContaining('spent: ') }]);
    expect(fs.readFileSync(told[0]?.file ?? '', 'utf8')).toBe('{"id":"agent","spent":"../"}');
    expect(JSON.parse(fs.readFileSync(path.join(world.state, file), 'utf8')).spent).toHaveLength(1);
  });

  test('of a newer version lets agents delete nothing', async () => {
    const { world, as } = await openWith('{"id":"agent","schemaVersion":2}');
    const before = filesBelow(world.instances);
    await expect(as('agent', 'delete_swarm_instance', { instanceIds: [badId] })).rejects.toMatchObject({
      code: 'newer-state',
    });
    expect(filesBelow(world.instances)).toEqual(before);
    expect(fs.readFileSync(path.join(world.state, file), 'utf8')).toBe('{"id":"agent","schemaVersion":2}');
  });
});

test('a part of the audit log that cannot be read hides no other, and is named', async () => {
  const world = await makeWorld();
  const { core, as } = await open(world);
  await as('person', 'get_swarm_status', {});
  const folder = path.join(world.state, 'audit', '2026-01-01-other.jsonl');
  fs.mkdirSync(folder);
  await as('person', 'get_swarm_status', {});
  expect((await core.audit.entries()).filter(({ phase }) => phase === 'done')).toHaveLength(2);
  expect(await core.audit.verify()).toEqual([
    { writer: 'other', line: 1, problem: expect.stringMatching(/^cannot be read \(2026-01-01-other\.jsonl: EISDIR/) },
  ]);
});

test('an instance whose mark cannot be read is shown, and is neither lost, deleted nor doubled', async () => {
  const world = await makeWorld();
  const { record } = instanceLayout(path.join(world.instances, `${badId}--owner`));
  fs.writeFileSync(record, fs.readFileSync(record).subarray(0, 40));
  const before = filesBelow(world.instances);
  const { controller, look, as } = await open(world);
  const problem = `The file reserved/instance.json beside the home of the instance "${badId}" cannot be used: it is not JSON.`;
  expect(controller.getInstance(badId)).toMatchObject({ status: 'failed', detail: problem });
  for (const name of ['start', 'delete', 'purge']) {
    const { results } = await as('person', `${name}_swarm_instance`, { instanceIds: [badId] });
    expect(results).toMatchObject([{ outcome: 'failed', error: { message: problem } }]);
    await look();
  }
  expect(latin(fs.readFileSync(record))).toBe(before[path.relative(world.instances, record)]);
  expect(filesBelow(world.instances)).toEqual(before);
  expect(controller.getInstance(goodId)).toEqual(world.records[1]);
  expect(controller.listInstances()).toHaveLength(2);
});

test('one that nobody knows is shown as found, and cannot be adopted before it is put right', async () => {
  const world = await makeWorld();
  const { record } = instanceLayout(path.join(world.instances, `${badId}--owner`));
  const whole = fs.readFileSync(record);
  fs.rmSync(world.fileOf(badId));
  fs.writeFileSync(record, '{}');
  const { controller, look } = await open(world);
  expect(controller.listFound()).toMatchObject([{ providerId: 'here', observation: { id: badId, status: 'failed' } }]);
  await expect(controller.adoptInstance('here', badId)).rejects.toMatchObject({ code: 'reserved-file-unreadable' });
  fs.writeFileSync(record, whole);
  // What was observed is believed for two seconds, unless the place itself says that something changed.
  const patience = { timeout: 10_000 };
  await vi.waitFor(async () => {
    await look();
    expect(controller.getInstance(badId)).toMatchObject({ config: world.records[0]?.config, status: 'stopped' });
  }, patience);
});
