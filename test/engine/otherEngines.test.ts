import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { quietContext } from '../../src/model/operationContext.ts';
import type { HomeTask } from '../../src/model/provider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { terminalOutput } from '../contract/terminalOutput.ts';
import { fillHome, homeDigest } from '../contract/tools.ts';
import { type LoneProvider, loneProvider } from '../fakes/loneProvider.ts';
import { guardedDocker } from './support/engineInstances.ts';
import { ensureTestImage } from './support/images.ts';
import { podmanProblem, startPodman } from './support/podman.ts';
import { rootlessProblem, startRootlessDocker } from './support/rootlessDocker.ts';
import { type ClosableEngine, describeUnless } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

const node = '/usr/lib/code-server/lib/node';

// The whole contract takes Podman ten times as long as Docker: `REMOTE_SWARM_TEST_ENGINE=unix:///run/podman/podman.sock`
// has every suite run on it. These are the answers in which an engine is another one than root's own Docker.
describeUnless(podmanProblem(), 'Podman', () => describeEngine(startPodman));
describeUnless(rootlessProblem(), 'rootless Docker', () => describeEngine(startRootlessDocker));

function describeEngine(start: () => Promise<ClosableEngine>): void {
  const swarmId = testSwarmId();
  let engine: ClosableEngine;
  let inventory: readonly string[];
  let provider: LoneProvider;
  let world: EngineWorld;
  let one: string;
  let other: string;

  const run = async (id: string, command: string) => {
    const { exitCode, stdout, stderr } = await provider.executeCommand(id, command);
    expect({ exitCode, stderr }, command).toEqual({ exitCode: 0, stderr: '' });
    return stdout;
  };
  const create = async () => (await provider.createInstance(newSpec(swarmId))).id;
  const homeTask = async (id: string, task: HomeTask) => {
    const home = await provider.abilities.openHome?.(id, task, quietContext);
    const parts: Uint8Array[] = [];
    try {
      for await (const part of home?.output ?? []) parts.push(part);
      await home?.done;
    } finally {
      await home?.end();
    }
    return Buffer.concat(parts).toString();
  };

  beforeAll(async () => {
    engine = await start();
    world = new EngineWorld(engine.docker);
    inventory = await world.inventory();
    const image = await ensureTestImage(engine.docker, 'stub');
    provider = loneProvider(await guardedDocker('docker', { endpoint: engine.host, image }));
    await provider.initialize();
    [one, other] = await Promise.all([create(), create()]);
  });
  afterAll(async () => {
    await provider?.dispose();
    await engine?.stop();
  });

  test('an instance answers on its port, with its token only, and has a shell', async () => {
    const { host, port } = await provider.abilities.connect(one);
    const status = async (path: string) =>
      (await fetch(`http://${host}:${port}${path}`, { redirect: 'manual' })).status;
    expect(await status('/')).toBe(403);
    expect(await status(`/?tkn=${await provider.abilities.readToken(one)}`)).toBe(302);
    const terminal = await provider.abilities.terminal?.(one);
    expect(terminal && (await terminalOutput(terminal, 'echo "<$TERM>"; exit\n'))).toContain('<xterm-256color>');
  });

  test('one instance reaches the world, and not the other', async () => {
    const addressOf = async (id: string) => {
      const { NetworkSettings } = await (await world.container(id)).inspect();
      const [network] = Object.values(NetworkSettings.Networks);
      return { address: network?.IPAddress ?? '', gateway: network?.Gateway ?? '' };
    };
    const reach = (id: string, host: string, port = 8080) =>
      run(
        id,
        `${node} -e "require('net').connect({host:'${host}',port:${port},timeout:1500}).on('connect',()=>{console.log('reached');process.exit()}).on('timeout',()=>process.exit()).on('error',e=>{console.log(e.code);process.exit()})"`,
      );
    const there = await addressOf(other);
    expect(await reach(other, there.address)).toBe('reached\n');
    expect(await reach(one, there.address)).not.toContain('reached');
    // Nobody listens there, and it says so.
    expect(await reach(one, (await addressOf(one)).gateway, 9)).toBe('ECONNREFUSED\n');
  });

  test('a home is told as it is', async () => {
    await run(one, fillHome);
    const told = JSON.parse((await homeTask(one, 'digest')).trim().split('\n').at(-1) ?? '');
    const empty = JSON.parse((await homeTask(other, 'digest')).trim().split('\n').at(-1) ?? '');
    expect(told.digest).not.toBe(empty.digest);
    expect(await homeTask(one, 'list')).toContain('workspace/t/');
  });

  test('what ends wakes its watchers, and a home outlives it', async () => {
    const woken = new Set<string | undefined>();
    const subscription = provider.abilities.watch?.(id => woken.add(id));
    const before = await run(one, homeDigest);
    await vi.waitFor(async () => {
      await run(other, 'true');
      await provider.stopInstance(one);
      await vi.waitFor(() => expect(woken).toContain(one), 2_000);
    }, 20_000);
    subscription?.dispose();
    expect(await provider.startInstance(one)).toMatchObject({ status: 'running' });
    expect(await run(one, homeDigest)).toBe(before);
  });

  test('a repeated create adopts what there is, and a delete leaves nothing', async () => {
    const spec = newSpec(swarmId);
    const [first, second] = await Promise.all([provider.createInstance(spec), provider.createInstance(spec)]);
    expect(second.id).toBe(first.id);
    const sizes = await provider.abilities.homeBytes?.([first.id]);
    expect(sizes?.get(first.id)).toBeGreaterThan(0);
    for (const id of [first.id, one, other]) expect(await provider.deleteInstance(id)).toBe(true);
    expect(await world.inventory()).toEqual(inventory);
  });
}
