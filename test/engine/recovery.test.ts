import { chmodSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InstanceConfigInput } from '../../src/model/instance.ts';
import { quietContext, withTimeout } from '../../src/model/operationContext.ts';
import type { InstanceSpec } from '../../src/model/provider.ts';
import type { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { dockerProvider, failureOf } from './support/dockerProviders.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithEngine, type TestEngine, testEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

describeWithEngine('instances on a Docker engine that need help', () => {
  const swarmId = testSwarmId();
  let engine: TestEngine;
  let world: EngineWorld;
  let provider: DockerProvider;
  let image: string;
  const nameOf = (id: string) => `remote-swarm-${id}--owner`;
  const container = (id: string) => engine.docker.getContainer(nameOf(id));
  const stdout = async (id: string, command: string) => (await provider.executeCommand(id, command)).stdout;
  /** In the instance's shell: the process of its server. */
  const server = '$(cat /proc/1/task/1/children)';
  const probe = (id: string, port?: number, milliseconds = 10_000) =>
    provider.abilities.probe(id, port, withTimeout(quietContext, milliseconds));

  beforeAll(async () => {
    engine = await testEngine();
    world = new EngineWorld(engine.docker);
    image = await ensureTestImage(engine.docker, 'stub');
    provider = dockerProvider({ endpoint: engine.host, image });
    await provider.initialize();
  });

  afterAll(async () => {
    await provider?.dispose();
    await world?.removeSwarm(swarmId);
  });

  /** A running instance with a file in its home. */
  async function created(config: Partial<InstanceConfigInput> = {}): Promise<{ spec: InstanceSpec; id: string }> {
    const spec = newSpec(swarmId, config);
    const { id } = spec.identity;
    await provider.createInstance(spec);
    await stdout(id, 'echo kept > file');
    return { spec, id };
  }

  /** Made anew, it runs in one container, which is another one, with its home and its token. */
  async function recreates(spec: InstanceSpec, token: string): Promise<void> {
    const { id } = spec.identity;
    const [before] = await world.containers(id);
    const { Id } = await engine.docker.getContainer(before ?? '').inspect();
    expect(await provider.abilities.recreateInstance(spec)).toMatchObject({ id, status: 'running' });
    expect(await world.containers(id)).toEqual([nameOf(id)]);
    expect((await container(id).inspect()).Id).not.toBe(Id);
    expect(await stdout(id, 'cat file')).toBe('kept\n');
    expect(await provider.abilities.readToken(id)).toBe(token);
    await provider.deleteInstance(id);
    expect(await world.exists(id)).toBe(false);
  }

  test.each<[string, (id: string) => Promise<unknown>]>([
    ['is paused', id => container(id).pause()],
    ['hangs', id => stdout(id, `kill -STOP ${server}`)],
    ['was left in the middle of a replacement', id => container(id).rename({ name: `${nameOf(id)}-replaced` })],
    [
      'can not be started, as its program is not there',
      async id => {
        const { Config, HostConfig } = await container(id).inspect();
        await container(id).remove({ force: true });
        const broken = { ...Config, HostConfig, name: nameOf(id), Entrypoint: ['/no/such/program'] };
        await engine.docker.createContainer(broken);
        expect(await failureOf(provider.startInstance(id))).toMatchObject({ code: 'server-ended' });
        expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped', cause: 'bad-config' });
      },
    ],
    [
      'ends right after its start',
      async id => {
        await stdout(id, `printf 'process.exit(7)' > /remote-swarm/reserved/launcher.mjs`);
        await provider.stopInstance(id);
        expect(await failureOf(provider.startInstance(id))).toMatchObject({ code: 'server-ended' });
        expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped', cause: 'exited' });
      },
    ],
  ])('one that %s is made anew on its home', async (_, harm) => {
    const { spec, id } = await created();
    const token = await provider.abilities.readToken(id);
    await harm(id);
    await recreates(spec, token);
  });

  test('a token that is gone is made anew too', async () => {
    const { spec, id } = await created();
    const token = await provider.abilities.readToken(id);
    await stdout(id, 'rm -r /remote-swarm/reserved');
    await provider.abilities.recreateInstance(spec);
    expect(await provider.abilities.readToken(id)).not.toBe(token);
    expect(await stdout(id, 'cat file; stat -c "%a %u" /remote-swarm/reserved /remote-swarm/reserved/token')).toBe(
      'kept\n700 1000\n600 1000\n',
    );
    await provider.deleteInstance(id);
  });

  test('an image that can not be had is told before anything is removed', async () => {
    const { spec, id } = await created();
    const { Id } = await container(id).inspect();
    const failing = { ...spec, image: '127.0.0.1:9/no/such:image' };
    expect(await failureOf(provider.abilities.recreateInstance(failing))).toMatchObject({
      code: 'registry-unreachable',
    });
    expect((await container(id).inspect()).Id).toBe(Id);
    expect(await probe(id)).toMatchObject({ answered: true });
    await provider.deleteInstance(id);
  });

  test('a volume of that name without our labels is no home, nor is one that is empty', async () => {
    const spec = newSpec(swarmId);
    const { id, epoch, createdAt } = spec.identity;
    const Name = `remote-swarm-${id}`;
    await engine.docker.createVolume({ Name });
    expect(await provider.abilities.hasHome(id)).toBe(false);
    expect(await failureOf(provider.abilities.recreateInstance(spec))).toMatchObject({ code: 'home-missing' });
    await engine.docker.getVolume(Name).remove();
    const Labels = {
      'remote-swarm.swarm': swarmId,
      'remote-swarm.instance': id,
      'remote-swarm.epoch': String(epoch),
      'remote-swarm.created': createdAt,
    };
    await engine.docker.createVolume({ Name, Labels });
    const before = await world.inventory();
    expect(await failureOf(provider.abilities.recreateInstance(spec))).toMatchObject({ code: 'home-missing' });
    expect(await world.inventory()).toEqual(before);
    await provider.deleteInstance(id);
  });

  test('a probe sees a server that hangs, on its port and through the engine', async () => {
    const { id } = await created();
    const { port } = (await provider.getInstance(id)) ?? {};
    await stdout(id, `kill -STOP ${server}`);
    for (const way of [port, undefined]) {
      const { answered, latencyMs, ...rest } = await probe(id, way, 1_500);
      expect({ answered, ...rest }).toEqual({ answered: false, seen: 'did not answer in time' });
      expect(latencyMs).toBeGreaterThan(1_400);
      expect(latencyMs).toBeLessThan(3_000);
    }
    await stdout(id, `kill -CONT ${server}`);
    expect(await probe(id)).toMatchObject({ answered: true });
    await provider.deleteInstance(id);
  });

  test('a probe through an engine that is not there says nothing about the server', async () => {
    const absent = dockerProvider({ endpoint: `unix://${tmpdir()}/absent.sock` });
    const asked = absent.abilities.probe('abcdefabcdef', undefined, withTimeout(quietContext, 5_000));
    expect(await failureOf(asked)).toMatchObject({ code: 'provider-unreachable' });
  });

  test('the disk of each is the one that its home lies on; one that can not be told fails nothing', async () => {
    const device = mkdtempSync(path.join(tmpdir(), 'remote-swarm-disk-'));
    chmodSync(device, 0o755);
    try {
      const spec = newSpec(swarmId);
      const { id, epoch, createdAt } = spec.identity;
      await engine.docker.createVolume({
        Name: `remote-swarm-${id}`,
        Driver: 'local',
        DriverOpts: { type: 'none', o: 'bind', device },
        Labels: {
          'remote-swarm.swarm': swarmId,
          'remote-swarm.instance': id,
          'remote-swarm.epoch': String(epoch),
          'remote-swarm.created': createdAt,
        },
      });
      await provider.createInstance(spec);
      const others = await Promise.all([created(), created()]);
      const ids = [id, ...others.map(other => other.id)];
      const stats = async () => {
        const rows = await provider.abilities.stats(ids, quietContext);
        return ids.map(each => rows.find(row => row.id === each));
      };
      const totalOf = (folder: string) => {
        const { blocks, bfree, bavail, bsize } = statfsSync(folder);
        return (blocks - bfree + bavail) * bsize;
      };
      const { Mountpoint } = await engine.docker.getVolume(`remote-swarm-${ids[1]}`).inspect();
      const [own, ...shared] = (await stats()).map(row => row?.diskTotalBytes);
      expect([own, ...shared]).toEqual([totalOf(device), totalOf(Mountpoint), totalOf(Mountpoint)]);
      await container(id).pause();
      await container(ids[1] ?? '').pause();
      const [paused, , last] = await stats();
      expect(paused).toBeUndefined();
      expect(last?.diskTotalBytes).toBe(totalOf(Mountpoint));
      for (const each of ids) await provider.deleteInstance(each);
    } finally {
      rmSync(device, { recursive: true });
    }
  });
});
