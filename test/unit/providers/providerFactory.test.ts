import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { InstanceConfig, type InstanceUpdate } from '../../../src/model/instance.ts';
import { GuardedProvider } from '../../../src/providers/guardedProvider.ts';
import { ProviderFactory } from '../../../src/providers/providerFactory.ts';
import { testMachine } from '../../fakes/testMachine.ts';

const environment = {
  localDirectory: '/nowhere/instances',
  launcher: '/nowhere/launcher.mjs',
  editorServerDirectory: '/nowhere/editor-server',
  machine: testMachine,
  readSecret: async () => undefined,
};

/** What a type can't do without, beside its id. */
const needed: Readonly<Record<string, object>> = {
  ssh: { host: 'build.example' },
  fly: { organization: 'personal' },
};

describe('the provider factory', () => {
  test('makes a provider of each type from what it needs, and contacts nothing', async () => {
    const types = ProviderFactory.types().map(({ type }) => type);
    expect(types).toContain('local');
    for (const type of types) {
      const provider = await ProviderFactory.createProvider(type, { id: 'one', type, ...needed[type] }, environment);
      expect(provider).toMatchObject({ id: 'one', type });
      expect(provider.getCapabilities().maxInstancesPerUser).toBeGreaterThan(0);
      await provider.dispose();
    }
  });

  test.each([
    ['docker', ['image', 'limit taken away']],
    ['fly', ['image', 'limit taken away', 'limit', 'env', 'secretEnv']],
    ['local', []],
    ['ssh', []],
  ])('of each type it is known before which updates make an instance anew: %s', async (type, expected) => {
    const config = { id: 'one', type, ...needed[type] };
    const provider = new GuardedProvider(await ProviderFactory.createProvider(type, config, environment));
    const before = InstanceConfig.parse({ name: 'one', image: 'a', resources: { memoryMb: 512, cpuCores: 1 } });
    const updates: Readonly<Record<string, InstanceUpdate>> = {
      image: { image: 'b' },
      'limit taken away': { resources: { cpuCores: 1 } },
      limit: { resources: { memoryMb: 1024, cpuCores: 2, pids: 100 } },
      env: { env: { A: '1' } },
      secretEnv: { secretEnv: ['A'] },
      beside: { name: 'two', metadata: { a: 'b' }, ports: [80], extensions: ['a.b'] },
    };
    const remade = Object.entries(updates).filter(([, update]) =>
      provider.abilities.remakes?.(before, { ...before, ...update } as InstanceConfig),
    );
    expect(remade.map(([name]) => name)).toEqual(expected);
    await provider.dispose();
  });

  test('each type describes its settings as a JSON schema', () => {
    for (const { configSchema, displayName } of ProviderFactory.types()) {
      expect(displayName).not.toBe('');
      expect(z.toJSONSchema(configSchema, { io: 'input' })).toMatchObject({
        type: 'object',
        additionalProperties: false,
        required: expect.arrayContaining(['id', 'type']),
      });
    }
  });

  test.each(['nothing', 'toString', '__proto__', ''])(
    'refuses the type "%s" and names those that there are',
    async type => {
      await expect(ProviderFactory.createProvider(type, { id: 'one', type }, environment)).rejects.toMatchObject({
        code: 'unknown-provider',
        hint: expect.stringContaining('local'),
      });
    },
  );

  test.each([
    ['directory', 'relative/path'],
    ['directory', 5],
    ['directory', '/a\nb\0c'],
    ['server', '../code'],
    ['server', '/a\0b'],
    ['id', 'Has Blanks'],
    ['unknown', true],
  ])('refuses a setting %s of %j by its name', async (name, value) => {
    const config = { id: 'one', type: 'local', [name]: value };
    await expect(ProviderFactory.createProvider('local', config, environment)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining(name),
    });
  });

  test.each([
    ['host', '-oProxyCommand=touch /tmp/x'],
    ['host', 'a b'],
    ['host', ''],
    ['host', 'a;b'],
    ['user', '-l'],
    ['port', 0],
    ['directory', '~/swarm'],
  ])('refuses an ssh provider whose %s is %j', async (name, value) => {
    const config = { id: 'one', type: 'ssh', host: 'build.example', [name]: value };
    await expect(ProviderFactory.createProvider('ssh', config, environment)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringContaining(name),
    });
  });

  test('refuses a path that is too long', async () => {
    const config = { id: 'one', type: 'local', directory: `/${'x'.repeat(5_000)}` };
    const error = await ProviderFactory.createProvider('local', config, environment).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'invalid-input', message: expect.stringMatching(/^.{1,200}$/) });
  });
});
