import { afterEach, describe, expect, test } from 'vitest';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import { defaultPolicy } from '../../../src/model/config.ts';
import { SwarmError } from '../../../src/model/errors.ts';
import type { InstanceConfig, InstanceRecord } from '../../../src/model/instance.ts';
import { longestLine } from '../../../src/model/linesOf.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { BlastRadius, DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { OperationGate } from '../../../src/operations/operationGate.ts';
import { MemoryStore } from '../../fakes/memoryStore.ts';
import { type MemorySwarmOptions, memorySwarm } from '../../fakes/memorySwarm.ts';
import { FakeSwarm } from '../operations/fakeSwarm.ts';
import { makeBench } from '../operations/gateBench.ts';

const megabyte = 1024 * 1024;
const secret = 'correct-horse-battery';
const byAgent = { ...quietContext, by: { caller: 'agent', actor: 'chat' } } as const;
const open: SwarmController[] = [];
afterEach(() => Promise.all(open.splice(0).map(controller => controller.dispose())));

async function made(options: MemorySwarmOptions = {}) {
  const swarm = memorySwarm(options);
  open.push(swarm.controller);
  await swarm.controller.initialize();
  const { id } = await swarm.controller.createInstance({ name: 'one', secretEnv: ['KEY'] }, '', undefined, {
    KEY: secret,
  });
  const instance = swarm.place.instances.get(id);
  if (!instance) throw new Error('it was not made');
  return { ...swarm, id, instance };
}

/** As a window that was just opened, and has seen no secret yet. */
async function opened({ place, disk, vault }: Awaited<ReturnType<typeof made>>) {
  const { controller } = memorySwarm({ place, disk, vault });
  open.push(controller);
  await controller.initialize();
  return controller;
}

describe('secrets of an instance, in a window that was just opened', () => {
  test('are masked in what a command says, also where that was cut off, and so is the token', async () => {
    const one = await made();
    const { token } = one.instance;
    one.place.shell = async () => ({
      ...{ exitCode: 0, stdout: `KEY=${secret}\n${'-'.repeat(megabyte)}`.slice(0, megabyte - 9) + secret.slice(0, 9) },
      ...{ stderr: `tkn=${token}`, truncated: true },
    });
    const { stdout, stderr } = await (await opened(one)).access.executeCommand(one.id, 'env');
    expect(stdout).toMatch(/^KEY=\*\*\*\n-{1000000,}$/);
    expect(stderr).toBe('tkn=***');
  });

  test('are masked in its log, read and followed, also where a line was cut', async () => {
    const one = await made();
    const controller = await opened(one);
    const dashes = '-'.repeat(longestLine - 9);
    const encoded = Buffer.from(`${secret}${secret}`).toString('base64');
    const lines = [
      ...[`KEY=${secret}!`, `${dashes}${secret.slice(0, 9)}… (70 more bytes)`, 'forged… (5 more bytes)', 'plain'],
      ...[encoded.slice(0, 20), encoded.slice(20)],
    ];
    const left = longestLine - 2_048;
    const wanted = [
      ...['KEY=***!', `${dashes.slice(0, left)}… (70 more bytes)`, 'forged… (5 more bytes)', 'plain'],
      ...['***', '***'],
    ];
    for (const line of lines) one.place.say(one.instance, line);
    const logs = await controller.access.getInstanceLogs(one.id);
    expect(logs.lines.slice(-6)).toEqual(wanted);
    expect(logs.lines).toHaveLength(one.instance.log.length);
    const seen: string[] = [];
    const stop = new AbortController();
    const following = controller.access.followLogs(one.id, line => void seen.push(line), {
      ...{ signal: stop.signal, report: () => {} },
    });
    following.catch(() => {});
    await expect
      .poll(() => {
        one.place.say(one.instance, `again ${secret}`);
        return seen.length;
      })
      .toBeGreaterThan(0);
    stop.abort();
    expect(new Set(seen)).toEqual(new Set(['again ***']));
  });

  test('do not get into the record when a step fails that says them', async () => {
    const one = await made();
    const controller = await opened(one);
    await controller.stopInstance(one.id);
    const said = new SwarmError({ family: 'provider', code: 'x', message: `It says ${secret}`, hint: `not ${secret}` });
    one.place.failNext('startInstance', said);
    const shown = { code: 'x', message: 'It says ***', hint: 'not ***' };
    await expect(controller.startInstance(one.id, quietContext)).rejects.toMatchObject(shown);
    expect(controller.getInstance(one.id).error).toMatchObject(shown);
    expect(JSON.stringify([...one.disk.records.values()])).not.toContain(secret);
  });
});

describe('of all that an instance has', () => {
  test('nothing is shown beside a value that is very long', async () => {
    const { controller, place } = memorySwarm();
    open.push(controller);
    await controller.initialize();
    const file = Array.from({ length: 400 }, (_, line) => `line ${line} of a file ${'x'.repeat(40)}`).join('\n');
    const secretEnv = ['KEY', 'FILE'];
    const { id } = await controller.createInstance({ name: 'one', secretEnv }, '', undefined, {
      ...{ KEY: secret, FILE: file },
    });
    place.shell = async () => ({ exitCode: 0, stdout: `KEY=${secret}`, stderr: '', truncated: false });
    expect((await controller.access.executeCommand(id, 'env')).stdout).toBe('KEY=***');
  });

  test('what an agent has taken out of it is masked after a restart of the window too', async () => {
    const one = await made({ autoSaveSeconds: 0 });
    await one.controller.updateInstance(one.id, { secretEnv: [] }, byAgent);
    one.place.shell = async () => ({ exitCode: 0, stdout: `file ${secret}`, stderr: '', truncated: false });
    expect((await (await opened(one)).access.executeCommand(one.id, 'cat')).stdout).toBe('file ***');
  });
});

describe('what an agent learns of the secrets of an instance by what it sees of another one', () => {
  async function two(secrets: Record<string, string>) {
    const swarm = memorySwarm();
    open.push(swarm.controller);
    await swarm.controller.initialize();
    const secretEnv = Object.keys(secrets);
    const prod = await swarm.controller.createInstance({ name: 'prod', secretEnv }, '', undefined, secrets);
    const mine = await swarm.controller.createInstance({ name: 'mine' }, '', byAgent);
    const gate = new OperationGate(
      swarm.controller,
      { append: async () => {} },
      new BlastRadius(new MemoryStore(DestroyBudget), () => 1_000_000),
      () => ({ policy: defaultPolicy, agentDestroyLimit: 3 }),
    );
    const agent = (name: string, input: unknown) =>
      gate.invoke(name, input, { ...quietContext, caller: 'agent', actor: 'chat', confirm: async () => true });
    return { ...swarm, prod, mine, agent };
  }

  test.each([megabyte, 40])('nothing by where a text of %d bytes is cut', async size => {
    const token = 'ghp_Zk3qR7x9LmT2wB8vNc5yHs1dJf6gPa4uQe0';
    const { place, mine, agent } = await two({ TOKEN: token });
    const answers = new Set<number>();
    const ends = [token.slice(0, 20), `${token.slice(0, 19)}#`, token.slice(0, 5), `${token.slice(0, 4)}#`];
    for (const end of [...ends, token, `${token.slice(0, -1)}#`]) {
      place.shell = async () => ({
        ...{
          exitCode: 0,
          stdout: `${'-'.repeat(size)}${end}`.slice(-size),
          stderr: '.'.repeat(megabyte),
          truncated: true,
        },
      });
      const said = await agent('run_in_instance', { instanceId: mine.id, command: 'print' });
      const { stdout } = said as { stdout: string };
      expect(stdout).not.toContain('*');
      answers.add(stdout.length);
    }
    expect(answers.size).toBe(1);
  });

  test('nothing by words of its own, or of ours', async () => {
    const { controller, prod, mine, agent } = await two({ MODE: 'running', PIN: '4711' });
    await controller.access.executeCommand(prod.id, 'env');
    await agent('update_swarm_instance', { instanceId: mine.id, metadata: { guess: '4710 4711 4712' } });
    const { metadata } = (await agent('get_swarm_instance', { instanceId: mine.id })) as InstanceConfig;
    expect(metadata).toEqual({ guess: '4710 4711 4712' });
    const { instances } = (await agent('list_swarm_instances', {})) as { instances: InstanceRecord[] };
    expect(instances.map(({ status }) => status)).toEqual(['running', 'running']);
  });
});

describe('no value is kept that belongs to no record', () => {
  test('when a window ends before it has kept them, the instance is not made without them', async () => {
    const { controller, disk, place, vault } = memorySwarm({ autoSaveSeconds: 0 });
    const keeping = Promise.withResolvers<number>();
    const ended = Promise.withResolvers<never>();
    vault.store = async () => {
      keeping.resolve(disk.records.size);
      return ended.promise;
    };
    await controller.initialize();
    void controller.createInstance({ name: 'one', secretEnv: ['KEY'] }, '', undefined, { KEY: secret }).catch(() => {});
    expect(await keeping.promise).toBe(1);
    const next = memorySwarm({ disk, place });
    open.push(next.controller, controller);
    await next.controller.initialize();
    await next.controller.refresh();
    const [record] = next.controller.listInstances();
    expect(record).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('KEY') } });
    expect(place.instances.size).toBe(0);
    ended.reject(new Error('ended'));
  });

  test('when they cannot be removed, the record of a forgotten instance stays', async () => {
    const { controller, vault, place, id } = await made();
    place.failNext('deleteInstance', new SwarmError({ family: 'provider', code: 'x', message: 'gone' }));
    await expect(controller.purgeInstance(id)).rejects.toThrow('gone');
    const forget = vault.forget.bind(vault);
    vault.forget = async () => {
      throw new Error('the keyring is locked');
    };
    await expect(controller.strayHomes.leave(id)).rejects.toThrow('the keyring is locked');
    expect(controller.getInstance(id).desired).toBe('absent');
    vault.forget = forget;
    await controller.strayHomes.leave(id);
    expect([...vault.secrets, ...controller.listInstances()]).toEqual([]);
  });

  test('when they cannot be kept, nothing is left of it', async () => {
    const { controller, vault, disk } = memorySwarm({ autoSaveSeconds: 0 });
    open.push(controller);
    await controller.initialize();
    const store = vault.store.bind(vault);
    vault.store = async (...given) => {
      await store(...given);
      throw new Error('the keyring is locked');
    };
    const creating = controller.createInstance({ name: 'one', secretEnv: ['KEY'] }, '', undefined, { KEY: secret });
    await expect(creating).rejects.toThrow('the keyring is locked');
    expect([...vault.secrets, ...disk.records, ...controller.listInstances()]).toEqual([]);
  });
});

describe('the gate', () => {
  test('masks what agents get, what is written down, and why something failed', async () => {
    const swarm = new FakeSwarm(1);
    swarm.masks.learn(secret);
    const [record] = swarm.listInstances();
    const bench = makeBench({ swarm });
    swarm.logs = [`x ${secret}`];
    expect(await bench.invoke('get_instance_logs', { instanceId: record?.id })).toMatchObject({ lines: ['x ***'] });
    swarm.execute = async () => {
      throw new SwarmError({ family: 'provider', code: 'x', message: secret, hint: secret, cause: new Error(secret) });
    };
    const failed = bench.invoke('run_in_instance', { instanceId: record?.id, command: `echo ${secret}` });
    const error = await failed.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'x', message: '***', hint: '***' });
    expect(String(((error as Error).cause as Error).stack)).not.toContain(secret);
    expect(JSON.stringify(bench.events)).not.toContain(secret);
    expect(bench.events.some(event => JSON.stringify(event.arguments)?.includes('echo ***'))).toBe(true);
  });
});
