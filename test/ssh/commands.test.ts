import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import type { HealthConfig } from '../../src/model/config.ts';
import { diskController } from '../crash/diskController.ts';
import { briskHealth } from '../engine/support/watchedSwarm.ts';
import { notHere } from '../fakes/notHere.ts';
import { type CountedSsh, countSsh, nextRound } from './support/countedSsh.ts';
import { type SshHost, sshHostProblem } from './support/sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost } from './support/sshProviders.ts';

const problem = sshHostProblem();
const count = 9;

describe.skipIf(problem !== undefined)(notHere('commands on a host', problem), () => {
  let host: SshHost;
  let scratch: string;
  let ssh: CountedSsh;
  let swarm: SwarmController;

  /** A window on the state of the one before. */
  const open = async (health: Partial<HealthConfig>) => {
    const provider = sshProvider(host);
    const state = path.join(scratch, 'state');
    const controller = await diskController(state, new ProviderDirectory([provider]), undefined, health);
    await controller.initialize();
    return controller;
  };

  beforeAll(async () => {
    await prepareForSsh();
    host = await startPreparedHost('cmds');
    scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-commands-'));
    ssh = countSsh(host, scratch);
    // Its monitor rests, so that what is asked of the host is what the test asks.
    swarm = await open({ enabled: false });
    await swarm.refresh();
    for (let index = 0; index < count; index++) {
      await swarm.createInstance({ name: `instance ${index}`, metadata: { place: `${index}` } }, host.name);
    }
  });
  afterAll(async () => {
    await swarm?.dispose();
    ssh?.restorePath();
    await host?.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  test('a state that was removed is found again with one command for all instances', async () => {
    const lasting = () =>
      swarm
        .listInstances()
        .map(({ id, config, role, status, createdAt }) => ({ id, config, role, status, createdAt }))
        .sort((a, b) => (a.id < b.id ? -1 : 1));
    const before = lasting();
    await swarm.dispose();
    const state = path.join(scratch, 'state');
    const swarmFile = await readFile(path.join(state, 'swarm.json'));
    await rm(state, { recursive: true });
    await mkdir(state);
    await writeFile(path.join(state, 'swarm.json'), swarmFile);
    ssh.taken();
    swarm = await open({ enabled: false });
    await vi.waitFor(() => expect(swarm.listInstances()).toHaveLength(count), 60_000);
    const made = ssh.taken();
    console.log(`${count} instances were found again with ${made} calls of ssh, the connection among them`);
    // None of them was asked for by itself.
    expect(made).toBeLessThan(count);
    expect(lasting()).toEqual(before);
  });

  test('a health round is one command, and one more while an editor server is silent', async () => {
    await swarm.dispose();
    swarm = await open({ ...briskHealth, checkInterval: 3, resourceInterval: 86_400, autoRecover: false });
    const statuses = () => swarm.health.list().map(({ status }) => status);
    const commandsIn = async (rounds: number) => {
      ssh.taken();
      for (let round = 0; round < rounds; round++) await nextRound(swarm, count);
      return ssh.taken();
    };
    // The first one makes the connection, and measures CPU and memory too.
    await vi.waitFor(() => expect(statuses()).toEqual(Array(count).fill('healthy')), 60_000);
    await nextRound(swarm, count);
    expect(await commandsIn(2)).toBe(2);
    const [id = ''] = swarm.listInstances().map(each => each.id);
    const mark = path.join(host.home, '.remote-swarm', 'instances', `${id}--owner`, 'reserved', 'process.json');
    const { pid } = JSON.parse(readFileSync(mark, 'utf8'));
    host.run('kill', '-STOP', `${pid}`);
    await vi.waitFor(() => expect(swarm.health.get(id)?.status).not.toBe('healthy'), 60_000);
    expect(await commandsIn(1)).toBe(2);
    expect(statuses().filter(status => status === 'healthy')).toHaveLength(count - 1);
    host.run('kill', '-CONT', `${pid}`);
    await vi.waitFor(() => expect(swarm.health.get(id)?.status).toBe('healthy'), 60_000);
  });
});
