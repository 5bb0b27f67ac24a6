import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
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
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

/** A swarm with these settings, whose state says that an instance ran on each of `inhabited` when it was last seen. */
async function swarmWith(settings: Record<string, unknown>, inhabited: readonly string[] = []) {
  const store = new JsonFileStore(path.join(root, 'instances'), InstanceRecord, 1);
  for (const [index, providerId] of inhabited.entries()) {
    const one = record(index + 1, { providerId, revision: 0 });
    await store.update(one.id, () => one);
  }
  const unreadable: unknown[] = [];
  const core = await open(settings, found => unreadable.push(found));
  const { controller } = core;
  const ids = controller.providers.ids();
  const seen = controller.listInstances().map(({ providerId, status, detail }) => ({ providerId, status, detail }));
  await core.dispose();
  return { ids, seen, unreadable };
}

function open(settings: Record<string, unknown>, unreadable: (found: unknown) => void = () => {}) {
  const { config, rejected } = configFrom(field => settings[field]);
  return buildSwarm({
    storageDirectory: root,
    launcher: path.join(root, 'launcher.mjs'),
    config: () => config,
    rejectedProviders: () => rejected,
    vault: new MemoryVault(),
    readSecret: async () => undefined,
    writeSecret: async () => {},
    gitCredential: () => undefined,
    texts: { translate: inEnglish, warn: () => {} },
    creations: new Map(),
    unreadable,
  });
}

/** What can be asked for a version, and has nothing; and all that was asked of it. It answers after `pause` milliseconds. */
async function emptyEngine(pause = 0) {
  const asked: string[] = [];
  const answers: Record<string, unknown> = {
    version: { Version: '28.0.0', ApiVersion: '1.48' },
    info: { OSType: 'linux', NCPU: 4, MemTotal: 2 ** 33 },
    json: [],
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://engine');
    asked.push(pathname);
    response.writeHead(200, { 'content-type': 'application/json' });
    // Events never come.
    if (pathname.endsWith('/events')) response.flushHeaders();
    else setTimeout(() => response.end(JSON.stringify(answers[path.basename(pathname)])), pause);
  });
  await new Promise<void>(resolve => server.listen(path.join(root, 'no-engine.sock'), resolve));
  const close = () =>
    new Promise(resolve => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { asked, close };
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

test('an engine that nobody configured, and that takes its time, is there', async () => {
  const engine = await emptyEngine(3_000);
  expect((await swarmWith({})).ids).toEqual(['local', 'docker']);
  await engine.close();
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

test('an engine that nobody configured is asked by the window that observes it, and by no other', async () => {
  const engine = await emptyEngine();
  const observer = await open({});
  const written = path.join(root, 'providers', 'docker.json');
  await vi.waitFor(() => expect(existsSync(written)).toBe(true), { timeout: 10_000 });
  await vi.waitFor(() => expect(engine.asked.at(-1)).toMatch(/\/events$|\/json$/));
  const before = [...engine.asked];
  const others = await Promise.all([open({}), open({})]);
  for (const { controller } of others) {
    expect(controller.providers.ids()).toEqual(['local', 'docker']);
    expect(controller.providers.condition('docker')).toMatchObject({ reachable: true });
    expect(controller.providers.capabilities('docker').maxResourcesPerInstance.cpu).toEqual({ cores: 4 });
  }
  expect(engine.asked).toEqual(before);
  await Promise.all([observer, ...others].map(core => core.dispose()));
  await engine.close();
  expect((await swarmWith({})).ids).toEqual(['local']);
});
