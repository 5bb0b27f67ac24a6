import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { InstanceRecord } from '../../../src/model/instance.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import { buildSwarm } from '../../../src/swarm.ts';
import { configFrom } from '../../../src/vscode/configFrom.ts';
import { MemoryVault } from '../../fakes/memorySwarm.ts';
import { record } from './rowFacts.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'remote-swarm-defaults-'));
  // No engine of this machine is asked.
  vi.stubEnv('DOCKER_HOST', `unix://${root}/no-engine.sock`);
  vi.stubEnv('DOCKER_CONTEXT', '');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A swarm with these settings, whose state says that an instance ran on each of `inhabited` when it was last seen. */
async function swarmWith(settings: Record<string, unknown>, inhabited: readonly string[] = []) {
  const store = new JsonFileStore(path.join(root, 'instances'), InstanceRecord, 1);
  for (const [index, providerId] of inhabited.entries()) {
    const one = record(index + 1, { providerId, revision: 0 });
    await store.update(one.id, () => one);
  }
  const { config, rejected } = configFrom(field => settings[field]);
  const unreadable: unknown[] = [];
  const core = await buildSwarm({
    storageDirectory: root,
    launcher: path.join(root, 'launcher.mjs'),
    config: () => config,
    rejectedProviders: () => rejected,
    vault: new MemoryVault(),
    readSecret: async () => undefined,
    gitCredential: async () => undefined,
    texts: { translate: inEnglish, warn: () => {} },
    unreadable: found => unreadable.push(found),
  });
  const { controller } = core;
  const ids = controller.providers.ids();
  const seen = controller.listInstances().map(({ providerId, status, detail }) => ({ providerId, status, detail }));
  await core.dispose();
  return { ids, seen, unreadable };
}

const second = { id: 'second', type: 'local', directory: '/srv/instances' };
const engine = { id: 'engine', type: 'docker', endpoint: 'unix:///nonexistent/docker.sock' };

test('a second provider of a type leaves the default of that type in its place', async () => {
  const { ids, seen } = await swarmWith({ providers: [second, engine] }, ['local', 'docker']);
  expect(ids).toEqual(['local', 'docker', 'second', 'engine']);
  expect(seen.map(({ detail }) => detail)).not.toContainEqual(expect.stringContaining('not in the settings'));
});

test('an engine that nobody configured, and that does not answer, is there only when instances live on it', async () => {
  expect((await swarmWith({})).ids).toEqual(['local']);
  expect((await swarmWith({}, ['docker'])).ids).toEqual(['local', 'docker']);
  expect((await swarmWith({ loadStateOnStartup: false }, ['docker'])).ids).toEqual(['local']);
});

test('only an entry of its id takes the place of a default, and the list of those in use leaves it out', async () => {
  const own = { id: 'local', type: 'local', directory: '/srv/own' };
  expect((await swarmWith({ providers: [own, engine] })).ids).toEqual(['local', 'engine']);
  expect((await swarmWith({ providers: [second], enabledProviders: ['second'] })).ids).toEqual(['second']);
});

test('instances of a provider that there is not are unknown, with the reason', async () => {
  const { seen } = await swarmWith({ enabledProviders: ['local'] }, ['gone', 'docker']);
  expect(seen).toContainEqual({
    providerId: 'docker',
    status: 'unknown',
    detail: 'its provider is left out by remoteSwarm.enabledProviders',
  });
  const { seen: others } = await swarmWith({ providers: [{ ...engine, endpoint: 'x' }] }, ['gone', 'engine']);
  expect(others).toContainEqual({
    providerId: 'gone',
    status: 'unknown',
    detail: 'its provider is not in the settings',
  });
  expect(others.find(({ providerId }) => providerId === 'engine')).toMatchObject({
    status: 'unknown',
    detail: expect.stringContaining('endpoint'),
  });
});

test('a state file that cannot be read is told once, also when it is read early', async () => {
  const file = path.join(root, 'instances', `${record(1).id}.json`);
  mkdirSync(path.dirname(file));
  writeFileSync(file, JSON.stringify({ ...record(1), schemaVersion: 7 }));
  expect((await swarmWith({})).unreadable).toHaveLength(1);
});
