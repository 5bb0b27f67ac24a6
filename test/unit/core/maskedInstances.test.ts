import { afterEach, describe, expect, test } from 'vitest';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import { SwarmError } from '../../../src/model/errors.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { type MemorySwarmOptions, memorySwarm } from '../../fakes/memorySwarm.ts';
import { FakeSwarm } from '../operations/fakeSwarm.ts';
import { makeBench } from '../operations/gateBench.ts';

const secret = 'correct-horse-battery';
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
      ...{ exitCode: 0, stdout: `KEY=${secret}\n${secret.slice(0, 9)}`, stderr: `tkn=${token}`, truncated: true },
    });
    const { stdout, stderr } = await (await opened(one)).access.executeCommand(one.id, 'env');
    expect({ stdout, stderr }).toEqual({ stdout: 'KEY=***\n***', stderr: 'tkn=***' });
  });

  test('are masked in its log, read and followed, also where a line was cut', async () => {
    const one = await made();
    const controller = await opened(one);
    const lines = [`KEY=${secret}!`, `${secret.slice(0, 9)}… (70 more bytes)`, 'plain'];
    const wanted = ['KEY=***!', '***… (70 more bytes)', 'plain'];
    for (const line of lines) one.place.say(one.instance, line);
    const logs = await controller.access.getInstanceLogs(one.id);
    expect(logs.lines.slice(-3)).toEqual(wanted);
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
    await expect(controller.startInstance(one.id, quietContext)).rejects.toBe(said);
    expect(controller.getInstance(one.id).error).toMatchObject({ message: 'It says ***', hint: 'not ***' });
    expect(JSON.stringify([...one.disk.records.values()])).not.toContain(secret);
  });
});

describe('the gate', () => {
  test('masks what agents get, what is written down, and why something failed', async () => {
    const swarm = new FakeSwarm(1);
    swarm.mask.learn(secret);
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
