import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { defaultHealthConfig, type SwarmConfig, strictestPolicy } from '../../../src/model/config.ts';
import { SwarmError } from '../../../src/model/errors.ts';
import type { ProviderState } from '../../../src/model/swarmStatus.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { ProviderFactory } from '../../../src/providers/providerFactory.ts';
import { entriesIn, withEntry } from '../../../src/vscode/providerEntries.ts';
import { settingsTable } from '../../../src/vscode/settingsTable.ts';
import { MemoryVault, memorySwarm } from '../../fakes/memorySwarm.ts';
import { testMachine } from '../../fakes/testMachine.ts';
import {
  type Field,
  fieldsBelow,
  type Hostile,
  hostileAround,
  hostileKinds,
  nameOf,
  type Schema,
  setAt,
  tooLarge,
  wrongTypes,
} from '../hostileInput.ts';

/** The editor: what its settings hold, and what it was told to say. */
const editor = vi.hoisted(() => ({
  settings: {} as Record<string, unknown>,
  changed: (_key: string) => {},
  messages: [] as { text: string; button: string }[],
  opened: [] as unknown[],
}));

vi.mock('vscode', () => {
  /** As an editor hands out its settings: they can be read, and neither changed nor cloned. */
  const readOnly = (value: unknown): unknown =>
    typeof value === 'object' && value !== null
      ? new Proxy(value, {
          get: (target, key) => readOnly(Reflect.get(target, key)),
          set: () => {
            throw new TypeError('settings are read-only');
          },
        })
      : value;
  return {
    workspace: {
      getConfiguration: (section: string) => ({ get: (key: string) => readOnly(editor.settings[`${section}.${key}`]) }),
      onDidChangeConfiguration: (listener: (event: { affectsConfiguration(key: string): boolean }) => void) => {
        editor.changed = key => listener({ affectsConfiguration: other => other === key });
        return { dispose: () => {} };
      },
    },
    window: {
      showWarningMessage: async (text: string, button: string) => {
        editor.messages.push({ text, button });
        return button;
      },
    },
    commands: { executeCommand: async (...call: unknown[]) => void editor.opened.push(call) },
    env: { language: 'en' },
    l10n: { t: (text: string, ...args: unknown[]) => text.replace(/\{(\d)\}/g, (_, i) => String(args[i])) },
  };
});

const { Settings } = await import('../../../src/vscode/settings.ts');
const { buildSwarm } = await import('../../../src/swarm.ts');

const root = mkdtempSync(path.join(tmpdir(), 'remote-swarm-settings-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const workingDirectory = readdirSync(process.cwd());

// No engine of this machine is asked, whatever a setting falls back to.
beforeEach(() => {
  vi.stubEnv('DOCKER_HOST', `unix://${root}/no-engine.sock`);
  vi.stubEnv('DOCKER_CONTEXT', '');
});

const manifest = JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../../../package.json'), 'utf8'));
const properties: Record<string, Schema & { default: unknown }> = manifest.contributes.configuration.properties;
const good = { id: 'good', type: 'local', directory: path.join(root, 'instances') };
const strict = { read: 'confirm', change: 'deny', execute: 'deny', destroy: 'deny' };

/** Valid settings, none of which is as its default: what is lost of them shows. A field that is tested stands first in its list. */
const valid: Record<string, unknown> = {
  'remoteSwarm.providers': [{ id: 'bad', type: 'local', directory: path.join(root, 'bad') }, good],
  'remoteSwarm.enabledProviders': ['bad', 'good'],
  'remoteSwarm.defaultProviderType': 'good',
  'remoteSwarm.stateDirectory': path.join(root, 'state'),
  'remoteSwarm.loadStateOnStartup': false,
  'remoteSwarm.autoSaveInterval': 60,
  'remoteSwarm.policy': { person: strict, agent: strict, client: strict, controller: strict },
  'remoteSwarm.agentDestroyLimit': 0,
  'remoteSwarm.migration.enabled': false,
  'remoteSwarm.migration.defaultStrategy': 'create-then-stop',
  'remoteSwarm.migration.timeout': 7200,
  'remoteSwarm.snapshots.interval': 3600,
  ...Object.fromEntries(
    Object.entries(defaultHealthConfig).map(([name, value]) => [
      `remoteSwarm.health.${name}`,
      typeof value === 'boolean' ? !value : typeof value === 'number' ? value * (value < 1 ? 0.5 : 2) : ['restart'],
    ]),
  ),
};

/** What the extension makes of a setting. */
const settingOf = (config: SwarmConfig, key: string): unknown =>
  key
    .split('.')
    .slice(1)
    .reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], config);

/** What a kind can't do without. */
const needed: Readonly<Record<string, object>> = {
  ssh: { host: 'build.example' },
  fly: { organization: 'personal' },
};

/** What more an entry of the list may hold is the business of its kind. */
const settingFields = fieldsBelow({ type: 'object', properties }, valid).filter(field => field.path.at(-1) !== 'KEY');
const providerFields = ProviderFactory.types().flatMap(({ type, configSchema }) => {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' }) as Schema;
  const around = setAt(valid, ['remoteSwarm.providers', 0], { id: 'bad', type, ...needed[type] });
  const pem = { ca: '/srv/tls/ca.pem', cert: '/srv/tls/cert.pem', key: '/srv/tls/key.pem' };
  return fieldsBelow(schema, around, pem, ['remoteSwarm.providers', 0]).map(field => ({ ...field, type }));
});

/** A valid value of each text, to which hostile ones are added. */
const texts: Readonly<Record<string, string>> = {
  'remoteSwarm.providers.0.id': 'bad',
  'remoteSwarm.providers.0.type': 'local',
  'remoteSwarm.enabledProviders.0': 'good',
  'remoteSwarm.defaultProviderType': 'good',
  'remoteSwarm.stateDirectory': path.join(root, 'state'),
  'local.directory': '/srv/instances',
  'local.server': '/opt/code-server',
  'ssh.id': 'bad',
  'ssh.host': 'build.example',
  'ssh.user': 'me',
  'ssh.directory': '/srv/swarm',
  'local.id': 'bad',
  'docker.id': 'bad',
  'docker.endpoint': 'ssh://me@far.example',
  'docker.context': 'work',
  'docker.tls.ca': '/srv/tls/ca.pem',
  'docker.tls.cert': '/srv/tls/cert.pem',
  'docker.tls.key': '/srv/tls/key.pem',
  'docker.image': 'team/editor:1',
  'docker.runtimeImage': 'team/editor:1',
  'fly.id': 'bad',
  'fly.organization': 'personal',
  'fly.region': 'fra',
  'fly.image': 'team/editor:1',
  'fly.endpoints.api': 'https://api.example/v1',
  'fly.endpoints.logs': 'https://logs.example/v1',
  'fly.endpoints.edge': 'https://edge.example',
};

/** Folders may be called anything that a person can read. */
const free: Readonly<Record<string, readonly Hostile[]>> = {
  'remoteSwarm.stateDirectory': ['unicode'],
  'local.directory': ['unicode'],
  'local.server': ['unicode'],
  'ssh.directory': ['unicode'],
  'docker.endpoint': ['unicode'],
  'docker.tls.ca': ['unicode'],
  'docker.tls.cert': ['unicode'],
  'docker.tls.key': ['unicode'],
};

const isRefused = (schema: Schema) => schema.const !== undefined || schema.enum !== undefined;

interface Case {
  readonly name: string;
  readonly field: Field;
  /** Where the problem must be said: below the setting, or below the entry of the list of providers. */
  readonly where: string;
  readonly ofProvider: boolean;
}
const cases: Case[] = [
  ...settingFields.map(field => ({ name: nameOf(field), field, ofProvider: false, where: '' })),
  ...providerFields.map(field => {
    const where = field.path.slice(2).join('.');
    return { name: where === '' ? field.type : `${field.type}.${where}`, field, ofProvider: true, where };
  }),
];

/** The settings as the extension reads them, with what the person is told. */
function read(values: Record<string, unknown>) {
  editor.settings = values;
  editor.messages.length = 0;
  editor.opened.length = 0;
  const lines: string[] = [];
  const settings = new Settings({ warn: (line: string) => lines.push(line) } as never, () => {});
  const { config, rejected, problems } = settings.current();
  settings.dispose();
  return { config, rejected, problems, lines, messages: [...editor.messages] };
}

/** What the whole extension does with settings: its state, its providers, and what it made on the disk. */
async function live(values: Record<string, unknown>) {
  const found = read(values);
  const storageDirectory = path.join(root, 'storage');
  const core = await buildSwarm({
    storageDirectory,
    launcher: path.join(root, 'launcher.mjs'),
    config: () => found.config,
    rejectedProviders: () => found.rejected,
    vault: new MemoryVault(),
    readSecret: async () => undefined,
    writeSecret: async () => {},
    gitCredential: () => undefined,
    texts: { translate: inEnglish, warn: () => {} },
    creations: new Map(),
    unreadable: () => {},
  });
  const { providers } = core.controller.getSwarmStatus();
  const usable = core.controller.providers.ids();
  const refused = await core.controller.createInstance({ name: 'box' }, 'bad').catch((error: unknown) => error);
  await core.dispose();
  return { ...found, providers, usable, refused };
}

/** What is said of the entry "bad", be it by the settings or by the one who would make the provider of it. */
async function problemOfEntry({ config, rejected }: ReturnType<typeof read>): Promise<string | undefined> {
  const [entry] = config.providers;
  if (entry?.id !== 'bad') return rejected[0]?.problem;
  const environment = {
    localDirectory: root,
    launcher: root,
    editorServerDirectory: root,
    machine: testMachine,
    readSecret: async () => undefined,
  };
  try {
    await (await ProviderFactory.createProvider(entry.type, entry, environment)).dispose();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(SwarmError);
    return `${(error as SwarmError).message} ${(error as SwarmError).hint}`;
  }
}

const expectReadable = (text: string, most: number) => {
  expect(text).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u);
  expect(text.length).toBeLessThan(most);
};

/** The other settings hold, and of the setting itself all that is not wrong. */
function expectRestHolds({ config }: ReturnType<typeof read>, field: Field): void {
  const [key = '', ...below] = field.path.map(String);
  for (const [other, value] of Object.entries(valid)) {
    if (other !== key) expect(settingOf(config, other)).toEqual(value);
  }
  if (key === 'remoteSwarm.providers' && below.length > 0) expect(config.providers).toContainEqual(good);
  if (key === 'remoteSwarm.enabledProviders' && below.length > 0) expect(config.enabledProviders).toEqual(['good']);
  if (key !== 'remoteSwarm.policy' || below.length === 0) return;
  const [caller, effect] = below as [keyof typeof strictestPolicy, keyof typeof strict | undefined];
  const expected: Record<string, unknown> = { ...(valid[key] as object) };
  expected[caller] = effect ? { ...strict, [effect]: strictestPolicy[caller][effect] } : strictestPolicy[caller];
  expect(config.policy).toEqual(expected);
}

/** Where all of a setting is wrong, its default holds, or the strictest value where the default could lift a restriction. */
function expectStandIn({ config }: ReturnType<typeof read>, { path: [key = '', ...below] }: Field): void {
  if (below.length > 0) return;
  const name = String(key);
  const row = settingsTable.find(each => each.key === name);
  expect(settingOf(config, name)).toEqual(row?.strictest ?? properties[name]?.default);
}

async function expectReported({ field, where, ofProvider }: Case, found: ReturnType<typeof read>): Promise<void> {
  const [key = '', ...below] = field.path.map(String);
  if (ofProvider) {
    const problem = await problemOfEntry(found);
    expect(problem).toContain('remoteSwarm.providers');
    expect(problem).toContain(where === '' ? 'Entry 0 ' : `${where}: `);
    expect(problem).toMatch(/"bad"|Entry 0 /);
    expectReadable(problem ?? '', 4_500);
    if (found.lines.length === 0) return;
  }
  expect(found.lines[0]).toContain(`${key}: ${below.length > 0 ? `${below.join('.')}: ` : ''}`);
  for (const line of found.lines) expectReadable(line, 400);
  const [message] = found.messages;
  expect(found.messages).toHaveLength(1);
  expect(message?.text).toContain(`The setting ${key} is not valid: ${found.problems[0]?.problem}`);
  expect(message?.button).toBe('Open Settings');
  expectReadable(message?.text ?? '', 500);
}

async function expectRefused(one: Case, value: unknown): Promise<void> {
  const found = read(setAt(one.field.around, one.field.path, value));
  await expectReported(one, found);
  if (!one.ofProvider) expectStandIn(found, one.field);
  expectRestHolds(found, one.field);
}

describe('bad settings', () => {
  test('all of them are found, and every field of every kind of provider', () => {
    const names = new Set(cases.map(({ name }) => name));
    for (const key of Object.keys(properties)) expect(names).toContain(key);
    for (const { type } of ProviderFactory.types()) expect(names).toContain(`${type}.id`);
    for (const known of [...Object.keys(texts), 'remoteSwarm.policy.agent.destroy', 'docker.resources.memoryMb']) {
      expect(names).toContain(known);
    }
    expect(Object.keys(valid).toSorted()).toEqual(Object.keys(properties).toSorted());
    const untested = cases.filter(
      ({ name, field: { schema } }) => schema.type === 'string' && !isRefused(schema) && !(name in texts),
    );
    expect(untested.map(({ name }) => name)).toEqual([]);
  });

  test('without any wrong field they hold as they are, and nothing is said', async () => {
    const { config, lines, rejected } = read(valid);
    for (const [key, value] of Object.entries(valid)) {
      expect(settingOf(config, key)).toEqual(value);
    }
    expect({ lines, rejected }).toEqual({ lines: [], rejected: [] });
    for (const { field } of cases.filter(({ ofProvider, where }) => ofProvider && where === '')) {
      expect(await problemOfEntry(read(field.around))).toBeUndefined();
    }
  });

  test.each(ProviderFactory.types())('an unknown field of a provider of the type $type is named', async ({ type }) => {
    const around = setAt(valid, ['remoteSwarm.providers', 0], { id: 'bad', type });
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 300, unit: 'binary' }), async key => {
        fc.pre(
          key !== '__proto__' && !(key in { id: 1, type: 1 }) && !cases.some(({ name }) => name === `${type}.${key}`),
        );
        const found = read(setAt(around, ['remoteSwarm.providers', 0, key], 1));
        const problem = await problemOfEntry(found);
        expect(problem).toContain('is no known field');
        expectReadable(problem ?? '', 4_500);
        expect(found.config.providers).toContainEqual(good);
      }),
      { numRuns: 30 },
    );
  });

  test('one that two entries have in common is that of the first', () => {
    const twin = { ...good, directory: '/elsewhere' };
    const found = read({ ...valid, 'remoteSwarm.providers': [good, twin, good, { id: 'good', type: 7 }] });
    expect(found.config.providers).toEqual([good]);
    expect(found.lines).toContainEqual(expect.stringContaining('two providers are called "good"'));
    expect(found.rejected).toMatchObject([{ id: 'providers.3', problem: expect.stringContaining('type: ') }]);
  });

  test.each([
    ['type', 5],
    ['id', 'Docker!'],
    ['endpoint', 'ssh://-oProxyCommand=x'],
  ])('a provider with a wrong %s is not stood in for by a default one', async (name, value) => {
    const entry = { id: 'docker', type: 'docker', [name]: value };
    const { usable, providers } = await live({
      'remoteSwarm.providers': [entry, good],
      'remoteSwarm.enabledProviders': ['docker', 'good'],
    });
    expect(usable).toEqual(['good']);
    expect(providers.filter(({ reachable }) => !reachable).map(({ problem }) => problem)).toContainEqual(
      expect.stringContaining(`${name}: `),
    );
  });

  test('a provider that there is not is named with its setting, and where it is called', async () => {
    const { providers } = await live({ ...valid, 'remoteSwarm.enabledProviders': ['good', 'dockr'] });
    expect(providers.find(({ id }) => id === 'dockr')).toMatchObject({
      reachable: false,
      problem: 'The setting remoteSwarm.enabledProviders names the provider "dockr", which there is not.',
      hint: 'Take it out, or name a provider: bad, good, local, docker.',
    });
    const list = [{ id: 'bad', type: 'dockr' }, good];
    const { providers: rows, refused } = await live({ ...valid, 'remoteSwarm.providers': list });
    const problem = 'The provider "bad" in remoteSwarm.providers is of no known kind: its "type" is "dockr".';
    expect(rows.find(({ id }) => id === 'bad')).toMatchObject({
      problem,
      hint: 'Set "type" to one of: local, docker, ssh, fly.',
    });
    expect(refused).toMatchObject({ code: 'provider-unusable', message: expect.stringContaining(problem) });
  });

  test('a default provider that there is not is said when it is needed', async () => {
    const { config } = read({ ...valid, 'remoteSwarm.defaultProviderType': 'dockr' });
    const { controller, place } = memorySwarm({ defaultProviderType: config.defaultProviderType });
    await expect(controller.createInstance({ name: 'box' })).rejects.toMatchObject({
      message: 'The setting remoteSwarm.defaultProviderType names the provider "dockr", which there is not.',
      hint: 'Correct it, or name a provider: memory.',
    });
    expect([...place.instances.keys(), ...controller.listInstances()]).toEqual([]);
    await controller.dispose();
  });

  test('a changed setting is judged anew, and the button leads to it', async () => {
    editor.settings = valid;
    const changes: unknown[] = [];
    const settings = new Settings({ warn: () => {} } as never, (...change) => changes.push(change));
    expect(settings.current().problems).toEqual([]);
    editor.opened.length = 0;
    editor.settings = { ...valid, 'remoteSwarm.autoSaveInterval': -1 };
    editor.changed('remoteSwarm.autoSaveInterval');
    expect(settings.current().config.autoSaveInterval).toBe(5);
    expect(changes).toEqual([[['remoteSwarm.autoSaveInterval'], false]]);
    await vi.waitFor(() =>
      expect(editor.opened).toEqual([['workbench.action.openSettings', 'remoteSwarm.autoSaveInterval']]),
    );
    settings.dispose();
  });

  test('adding a provider loses nothing of the list, whatever a person wrote into it', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.jsonValue(), fc.constant(good))), list => {
        const added = { ...good, id: 'added' };
        expect(withEntry(list, added)).toEqual([...list, added]);
        const changed = { ...good, server: '/opt/code' };
        const place = list.indexOf(good);
        expect(withEntry(list, changed)).toEqual(place < 0 ? [...list, changed] : list.with(place, changed));
        expect(entriesIn(list)).toEqual(list.filter(entry => entry === good));
      }),
    );
    fc.assert(
      fc.property(wrongTypes({ type: 'array' }), value => {
        expect(entriesIn(value)).toEqual([]);
        expect(() => withEntry(value, good)).toThrow(/^The setting remoteSwarm.providers is not valid/);
      }),
    );
  });

  describe.each(cases)('$name', one => {
    const { schema } = one.field;
    const text = texts[one.name];

    test('of a wrong type', async () => {
      await fc.assert(
        fc.asyncProperty(wrongTypes(schema), value => expectRefused(one, value)),
        { numRuns: 15 },
      );
    });

    const large = tooLarge(schema, text ?? good);
    if (large !== undefined) test('too large', () => expectRefused(one, large));

    const kinds = hostileKinds.filter(kind => !free[one.name]?.includes(kind));
    test.each(text === undefined ? [] : kinds)('text with %s', async kind => {
      await fc.assert(
        fc.asyncProperty(hostileAround(kind, text ?? ''), value => expectRefused(one, value)),
        { numRuns: 15 },
      );
    });

    test.each(free[one.name] ?? [])('text with %s is taken as it is, or refused', async kind => {
      await fc.assert(
        fc.asyncProperty(hostileAround(kind, text ?? ''), async value => {
          const found = read(setAt(one.field.around, one.field.path, value));
          const problem = one.ofProvider ? await problemOfEntry(found) : found.lines[0];
          if (problem !== undefined) return expectRefused(one, value);
          expect(value).toMatch(/^[^\p{Cc}\p{Cs}]*$/u);
          const kept = one.ofProvider ? found.config.providers[0] : found.config;
          expect(JSON.stringify(kept)).toContain(JSON.stringify(value));
        }),
        { numRuns: 30 },
      );
    });

    test('the extension lives, with everything else', async () => {
      const bad = fc.oneof(wrongTypes(schema), ...(text === undefined ? [] : [hostileAround('dots', text)]));
      await fc.assert(
        fc.asyncProperty(bad, async value => {
          const { providers, usable, refused } = await live(setAt(one.field.around, one.field.path, value));
          // Nobody takes the place of what was meant, where anything was understood.
          const understood = one.field.path[0] !== 'remoteSwarm.providers' || one.field.path.length > 1;
          if (understood) expect(usable).toContain('good');
          if (understood && one.field.path[0] === 'remoteSwarm.providers') {
            expect(usable).toEqual(['good']);
            const row = providers.find(({ reachable }) => !reachable) as ProviderState;
            expect(row.problem).toContain('remoteSwarm.providers');
            expect(refused).toBeInstanceOf(SwarmError);
          }
          const made = ['state', 'storage', 'instances', 'bad'];
          expect(readdirSync(root).filter(name => !made.includes(name))).toEqual([]);
        }),
        { numRuns: 4 },
      );
      expect(readdirSync(process.cwd())).toEqual(workingDirectory);
    });
  });
});
