import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { linesOf } from '../../src/model/linesOf.ts';
import type { MachineIdentity } from '../../src/model/machineIdentity.ts';
import type { InstanceSpec } from '../../src/model/provider.ts';
import { instanceLayout } from '../../src/providers/editorServer.ts';
import { LocalProvider } from '../../src/providers/local/localProvider.ts';
import { loneProvider } from '../fakes/loneProvider.ts';
import { testMachine } from '../fakes/testMachine.ts';
import { outcomesOf } from './elsewhereCalls.ts';
import { newSpec, testSwarmId } from './specs.ts';

const root = path.resolve(import.meta.dirname, '../..');
const unshare = ['unshare', '--pid', '--fork', '--mount-proc'];
const canUnshare = spawnSync('unshare', [...unshare.slice(1), 'true']).status === 0;

const server = `
const [, ...args] = process.argv.slice(2);
const option = name => args[args.indexOf(name) + 1];
require('node:http').createServer((_, response) => response.end()).listen(Number(option('--port')), option('--host'));
`;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** One directory of instances that several machines see, and the windows on each of them. */
async function scene(name = 'shared') {
  const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-machines-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const code = path.join(directory, 'code');
  await writeFile(code, `#!${process.execPath}\n${server}`, { mode: 0o755 });
  const config = { id: 'local', type: 'local' as const, directory: path.join(directory, name), server: code };
  const environment = {
    localDirectory: directory,
    launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
    editorServerDirectory: directory,
    readSecret: async () => undefined,
  };
  const windowOn = async (machine: MachineIdentity) => {
    const provider = loneProvider(new LocalProvider(config, { ...environment, machine }));
    await provider.initialize();
    return provider;
  };
  /** A window in a PID namespace of its own, as in another container. */
  const windowInContainer = async (spec: InstanceSpec): Promise<Record<string, unknown>> => {
    const argument = JSON.stringify([config, environment, spec]);
    const [file = '', ...args] = [...unshare, process.execPath, path.join(import.meta.dirname, 'otherMachine.ts')];
    const child = spawn(file, [...args, argument], { stdio: ['pipe', 'pipe', 'ignore'] });
    cleanups.push(async () => child.stdin.end());
    for await (const line of linesOf(child.stdout)) return JSON.parse(line);
    throw new Error('the window in the container said nothing');
  };
  const servers = async () => {
    const pids = (await readdir('/proc')).filter(entry => /^\d+$/.test(entry));
    const lines = await Promise.all(pids.map(pid => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
    return lines.filter(line => line.includes(code) && line.includes('--port')).length;
  };
  const spec = newSpec(testSwarmId());
  const { id } = spec.identity;
  const { reserved, home } = instanceLayout(path.join(config.directory, `${id}--owner`));
  const here = await windowOn(testMachine);
  cleanups.push(() => here.deleteInstance(id));
  return { here, windowOn, windowInContainer, servers, spec, id, reserved, home };
}

const refused = (host: string) => ({
  seen: { status: 'unknown', detail: `runs on ${host}` },
  ...Object.fromEntries(
    [
      ...['start', 'create', 'update', 'execute', 'terminal', 'open home', 'stop', 'stop by force', 'recreate'],
      ...['trash', 'restore', 'park', 'make incoming', 'hand over', 'delete'],
    ].map(name => [name, 'runs-elsewhere']),
  ),
});

const another: MachineIdentity = { id: 'a0b1c2d3e4f5', boot: 'c0b1c2d3e4f5', pids: '4026531836', host: 'anns-laptop' };

describe('an instance whose server runs on another machine', () => {
  test.runIf(canUnshare)('is left alone in a container of the same machine, by every call', async () => {
    const { here, windowInContainer, servers, spec, id, home } = await scene();
    await here.createInstance(spec);
    await writeFile(path.join(home, 'file'), 'kept');
    expect(await windowInContainer(spec)).toEqual(refused(testMachine.host));
    expect(await servers()).toBe(1);
    expect(await here.getInstance(id)).toMatchObject({ status: 'running' });
    expect(await readFile(path.join(home, 'file'), 'utf8')).toBe('kept');
  });

  test('is left alone by every call on the other machine, and is usable where it runs', async () => {
    const { here, windowOn, servers, spec, id } = await scene();
    await here.createInstance(spec);
    expect(await outcomesOf(await windowOn(another), spec)).toEqual(refused(testMachine.host));
    expect(await servers()).toBe(1);
    expect(await here.stopInstance(id)).toMatchObject({ status: 'stopped' });
    // What nobody runs is anybody's.
    expect(await (await windowOn(another)).getInstance(id)).toMatchObject({ status: 'stopped' });
  });

  test('is given up by a person: then it is anybody’s; what runs here is not given up', async () => {
    const { here, spec, id, home } = await scene();
    await here.createInstance(spec);
    await writeFile(path.join(home, 'file'), 'kept');
    await expect(here.abilities.giveUpServer?.(id)).rejects.toMatchObject({ code: 'wrong-state' });
    expect(await here.getInstance(id)).toMatchObject({ status: 'running' });
    await here.stopInstance(id);
    const mark = { pid: 1, startTime: 'then', place: another, logOffset: 0, port: 9, answered: true };
    await writeFile(path.join(path.dirname(home), 'reserved', 'process.json'), JSON.stringify(mark));
    await expect(here.startInstance(id)).rejects.toMatchObject({ code: 'runs-elsewhere' });
    expect(await here.abilities.giveUpServer?.(id)).toMatchObject({ status: 'stopped' });
    expect(await here.startInstance(id)).toMatchObject({ status: 'running' });
    expect(await readFile(path.join(home, 'file'), 'utf8')).toBe('kept');
    await expect(here.abilities.giveUpServer?.(id)).rejects.toMatchObject({ code: 'wrong-state' });
  });

  test('is simply gone when its machine was started anew', async () => {
    const { here, windowOn, spec, id, reserved } = await scene();
    await here.createInstance(spec);
    await here.stopInstance(id);
    const earlier = { ...testMachine, boot: 'b0b1c2d3e4f5', pids: '4026539999' };
    const mark = { pid: process.pid, startTime: 'then', place: earlier, logOffset: 0, port: 9, answered: true };
    await writeFile(path.join(reserved, 'process.json'), JSON.stringify(mark));
    expect(await here.getInstance(id)).toMatchObject({ status: 'stopped', cause: 'exited' });
    expect(await (await windowOn(another)).getInstance(id)).toMatchObject({ status: 'unknown' });
    expect(await here.startInstance(id)).toMatchObject({ status: 'running' });
  });

  test('a mark of an earlier version was written here, and says so from now on', async () => {
    const { here, windowOn, servers, spec, id, reserved } = await scene();
    await here.createInstance(spec);
    const file = path.join(reserved, 'process.json');
    const { place, ...earlier } = JSON.parse(await readFile(file, 'utf8'));
    expect(place).toEqual(testMachine);
    await writeFile(file, JSON.stringify(earlier));
    await here.initialize();
    expect(await (await windowOn(another)).getInstance(id)).toMatchObject({ detail: `runs on ${testMachine.host}` });
    expect(await here.stopInstance(id)).toMatchObject({ status: 'stopped' });
    expect(await servers()).toBe(0);
  });

  test('no home gets a second server below a storage path with letters of every kind, also when its mark is damaged', async () => {
    const { here, servers, spec, id, reserved } = await scene('Müllers Schränke 漢字');
    await here.createInstance(spec);
    await writeFile(path.join(reserved, 'process.json'), '{');
    expect(await here.startInstance(id)).toMatchObject({ status: 'running' });
    expect(await servers()).toBe(1);
  });
});
