import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isAbort } from '../../src/model/errors.ts';
import type { InstanceConfigInput } from '../../src/model/instance.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { node } from '../../src/providers/docker/containerSpec.ts';
import type { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { contextCancelledAt, dockerProvider, failureOf } from './support/dockerProviders.ts';
import { ensureTestImage, type TestImage } from './support/images.ts';
import { describeWithEngine, type TestEngine, testEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

describeWithEngine('instances on a Docker engine', () => {
  const swarmId = testSwarmId();
  let engine: TestEngine;
  let world: EngineWorld;
  let provider: DockerProvider;
  let before: string[];
  const image = (name: TestImage) => ensureTestImage(engine.docker, name);
  const specOf = (config: Partial<InstanceConfigInput> = {}, secrets = {}) => newSpec(swarmId, config, secrets);
  const created = async (config?: Partial<InstanceConfigInput>, secrets?: Record<string, string>) =>
    (await provider.createInstance(specOf(config, secrets))).id;
  const inspect = (id: string) => container(id).inspect();
  const container = (id: string) => engine.docker.getContainer(`remote-swarm-${id}--owner`);
  const ended = (id: string) => vi.waitFor(async () => expect((await inspect(id)).State.Running).toBe(false), 10_000);
  /** In the instance's shell: the process of its server. */
  const server = '$(cat /proc/1/task/1/children)';
  const stdout = async (id: string, command: string) => (await provider.executeCommand(id, command)).stdout;

  beforeAll(async () => {
    engine = await testEngine();
    world = new EngineWorld(engine.docker);
    before = await world.inventory();
    provider = dockerProvider({ endpoint: engine.host, image: await image('stub'), runtimeImage: await image('stub') });
    await provider.initialize();
  });

  afterAll(async () => {
    await provider?.dispose();
    await world?.removeSwarm(swarmId);
  });

  test('a container is confined, limited, named and labelled as promised, and holds no secret', async () => {
    const spec = specOf(
      { resources: { cpuCores: 0.5, memoryMb: 256, pids: 200 }, env: { PLAIN: 'plain-4711' }, secretEnv: ['KEY'] },
      { KEY: 'secret-4711' },
    );
    const { id, epoch, createdAt } = spec.identity;
    await provider.createInstance(spec);
    const { Name, Config, HostConfig, Mounts } = await inspect(id);
    expect(Name).toBe(`/remote-swarm-${id}--owner`);
    expect(Config).toMatchObject({ User: '1000:1000', Healthcheck: { Test: ['NONE'] } });
    expect(Config.Labels).toMatchObject({
      'remote-swarm.swarm': swarmId,
      'remote-swarm.instance': id,
      'remote-swarm.epoch': String(epoch),
      'remote-swarm.created': createdAt,
    });
    expect(HostConfig).toMatchObject({
      ...{ Init: true, Privileged: false, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] },
      ...{ NanoCpus: 500_000_000, Memory: 268_435_456, PidsLimit: 200, RestartPolicy: { Name: 'no' } },
      PortBindings: { '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
    });
    expect(Mounts).toMatchObject([{ Type: 'volume', Name: `remote-swarm-${id}`, Destination: '/remote-swarm' }]);
    const text = await world.publicText(id);
    for (const hidden of ['plain-4711', 'secret-4711', await provider.abilities.readToken(id)]) {
      expect(text).not.toContain(hidden);
    }
    expect(await stdout(id, 'stat -c "%a %u" /remote-swarm/reserved /remote-swarm/reserved/token')).toBe(
      '700 1000\n600 1000\n',
    );
    expect(await stdout(id, 'id -u; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status')).toBe(
      '1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n',
    );
    await provider.deleteInstance(id);
  });

  test('limits change on the living container, both up and down', async () => {
    const id = await created({ resources: { cpuCores: 0.5, memoryMb: 256 } });
    const { Id, State } = await inspect(id);
    for (const resources of [
      { cpuCores: 2, memoryMb: 1024, pids: 300 },
      { cpuCores: 1, memoryMb: 300, pids: 500 },
    ]) {
      const updated = await provider.updateInstance(id, { resources });
      expect(updated.config.resources).toEqual(resources);
      const now = await inspect(id);
      expect(now).toMatchObject({ Id, State: { StartedAt: State.StartedAt } });
      expect(now.HostConfig).toMatchObject({
        NanoCpus: resources.cpuCores * 1e9,
        Memory: resources.memoryMb * 1024 ** 2,
        PidsLimit: resources.pids,
      });
    }
    await provider.deleteInstance(id);
  });

  test('a limit that is lifted, and another image, make another container on the same home', async () => {
    const id = await created({ resources: { memoryMb: 256 }, env: { KEPT: 'yes' } });
    const token = await provider.abilities.readToken(id);
    await stdout(id, 'echo kept > file; echo rc > "$HOME/.rc"; mkdir -m 700 private');
    const first = await inspect(id);
    const lifted = await provider.updateInstance(id, { resources: {} });
    expect(lifted).toMatchObject({ status: 'running', config: { resources: {} } });
    const second = await inspect(id);
    expect(second.Id).not.toBe(first.Id);
    expect(second.HostConfig.Memory).toBe(0);

    const other = await image('codeServer');
    const moved = await provider.updateInstance(id, { image: other });
    expect(moved).toMatchObject({ status: 'running', config: { image: other } });
    expect(await world.containers(id)).toEqual([`remote-swarm-${id}--owner`]);
    expect((await inspect(id)).Config.Image).toBe(other);
    expect(await stdout(id, 'cat file "$HOME/.rc"; stat -c %a private; echo $KEPT')).toBe('kept\nrc\n700\nyes\n');
    expect(await provider.abilities.readToken(id)).toBe(token);
    expect(await provider.getInstance(id)).toEqual(moved);

    await provider.stopInstance(id);
    const stopped = await provider.updateInstance(id, { image: await image('stub') });
    expect(stopped).toMatchObject({ status: 'stopped' });
    await provider.startInstance(id);
    expect(await stdout(id, 'cat file')).toBe('kept\n');
    await provider.deleteInstance(id);
  });

  test('an update also brings what starts everything, which an earlier version may have left', async () => {
    const id = await created();
    const launcher = '/remote-swarm/reserved/launcher.mjs';
    const right = await stdout(id, `cksum < ${launcher}`);
    await stdout(id, `sed -i s/expanded/taken/ ${launcher}`);
    expect(await stdout(id, `cksum < ${launcher}`)).not.toBe(right);
    await provider.updateInstance(id, { env: { WHERE: '$HOME' } });
    expect(await stdout(id, `cksum < ${launcher}; echo $WHERE`)).toBe(`${right}/remote-swarm/home\n`);
    await provider.deleteInstance(id);
  });

  test('when the other container does not start, the first comes back as it was', async () => {
    const id = await created({ env: { KEPT: 'yes' } });
    await stdout(id, 'echo kept > file');
    const first = await inspect(id);
    const broken = await brokenImage();
    const error = await failureOf(provider.updateInstance(id, { image: broken, env: {} }));
    expect(error).toMatchObject({ code: 'server-ended', message: expect.stringContaining('broken on purpose') });
    expect(await world.containers(id)).toEqual([`remote-swarm-${id}--owner`]);
    expect((await inspect(id)).Id).toBe(first.Id);
    expect(await provider.getInstance(id)).toMatchObject({ status: 'running', config: { env: { KEPT: 'yes' } } });
    expect(await stdout(id, 'cat file; echo $KEPT')).toBe('kept\nyes\n');
    await provider.deleteInstance(id);
  });

  /** The stub image with a server that ends at once. */
  async function brokenImage(): Promise<string> {
    const container = await engine.docker.createContainer({
      Image: await image('stub'),
      User: '0',
      Cmd: [
        'sh',
        '-c',
        'echo "throw Error(\'broken on purpose\')" > /usr/lib/code-server/lib/vscode/out/server-main.js',
      ],
    });
    await container.start();
    await container.wait();
    await container.commit({ repo: 'remote-swarm-test/broken', tag: '1' });
    await container.remove();
    return 'remote-swarm-test/broken:1';
  }

  test('killed between the two containers of a replacement, either one stands for the instance', async () => {
    const id = await created();
    await stdout(id, 'echo kept > file');
    const name = `remote-swarm-${id}--owner`;
    const old = engine.docker.getContainer((await inspect(id)).Id);
    // As after a kill right after the rename.
    await old.stop();
    await old.rename({ name: `${name}-replaced` });
    expect(await provider.abilities.observe()).toContainEqual(
      expect.objectContaining({ id, role: 'owner', status: 'stopped' }),
    );
    expect(await provider.startInstance(id)).toMatchObject({ status: 'running' });
    expect(await world.containers(id)).toEqual([name]);
    // As after a kill once the other one was made.
    const { Config, HostConfig } = await inspect(id);
    await old.stop();
    await old.rename({ name: `${name}-replaced` });
    await engine.docker.createContainer({ ...Config, HostConfig, name });
    expect((await provider.abilities.observe()).filter(row => row.id === id)).toHaveLength(1);
    expect(await provider.startInstance(id)).toMatchObject({ status: 'running' });
    expect(await world.containers(id)).toEqual([name]);
    expect(await stdout(id, 'cat file')).toBe('kept\n');
    await provider.deleteInstance(id);
    expect(await world.exists(id)).toBe(false);
  });

  test('a create whose answer was lost is adopted, before and after the files were written', async () => {
    const spec = specOf({ env: { A: '1' } });
    const { id } = spec.identity;
    await provider.createInstance(spec);
    const sibling = await created();
    const { Config, HostConfig } = await inspect(id);
    await provider.deleteInstance(id);
    await engine.docker.createVolume({ Name: `remote-swarm-${id}`, Labels: Config.Labels });
    const container = await engine.docker.createContainer({
      ...Config,
      HostConfig,
      name: `remote-swarm-${id}--owner`,
    });
    expect(await provider.getInstance(id)).toMatchObject({ id, status: 'failed', detail: 'only half made' });
    expect(await provider.createInstance(spec)).toMatchObject({ id, status: 'running' });
    expect((await inspect(id)).Id).toBe(container.id);
    expect(await stdout(id, 'echo $A')).toBe('1\n');
    await Promise.all([id, sibling].map(each => provider.deleteInstance(each)));
  });

  test('an image without an editor server gets it from a volume that nobody can write to', async () => {
    const id = await created({ image: await image('plain') });
    expect(await stdout(id, '/usr/lib/code-server/lib/node -e "console.log(1+1)"')).toBe('2\n');
    expect((await provider.executeCommand(id, 'touch /usr/lib/code-server/x')).exitCode).not.toBe(0);
    const { Mounts } = await inspect(id);
    expect(Mounts.find(({ Destination }) => Destination === '/usr/lib/code-server')).toMatchObject({ RW: false });
    // A second one, with another provider's eyes, uses the same volume.
    const second = dockerProvider({ endpoint: engine.host, runtimeImage: await image('stub') });
    const other = specOf({ image: await image('plain') });
    await second.createInstance(other);
    expect((await inspect(other.identity.id)).Mounts.map(({ Name }) => Name)).toContain(
      Mounts.find(({ RW }) => !RW)?.Name,
    );
    await second.dispose();
    await Promise.all([id, other.identity.id].map(each => provider.deleteInstance(each)));
  });

  test.each([
    ['bare', 'it has no C library'],
    ['musl', 'it is built on musl'],
  ] as const)('an image without glibc (%s) is refused with the reason before anything is made', async (name, why) => {
    const spec = specOf({ image: await image(name) });
    const at = await world.inventory();
    for (let time = 0; time < 2; time++) {
      const error = await failureOf(provider.createInstance(spec));
      expect(error).toMatchObject({ code: 'image-unfit', message: expect.stringContaining(why) });
    }
    expect(await world.inventory()).toEqual(at);
  });

  test('an image that nobody has is refused, and nothing is made', async () => {
    const at = await world.inventory();
    const error = await failureOf(provider.createInstance(specOf({ image: '127.0.0.1:9/no/such:image' })));
    expect(error).toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringContaining('connection refused'),
    });
    expect(await world.inventory()).toEqual(at);
  });

  test('a paused container is a stopped instance, and a start wakes it', async () => {
    const id = await created();
    await container(id).pause();
    expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped', detail: 'paused' });
    expect(await provider.startInstance(id)).toMatchObject({ status: 'running' });
    await container(id).pause();
    expect(await provider.stopInstance(id)).toMatchObject({ status: 'stopped' });
    await provider.deleteInstance(id);
  });

  test('a server that ran out of memory is seen stopped, with the cause, until it starts again', async () => {
    const id = await created({ resources: { memoryMb: 128 } });
    const eat = `${node} -e 'const a=[];for(;;)a.push(Buffer.alloc(1<<24,1))'`;
    // A command that runs out of memory is ended alone, and the server goes on.
    expect((await provider.executeCommand(id, eat)).exitCode).toBe(137);
    expect(await provider.getInstance(id)).toMatchObject({ status: 'running' });
    await stdout(id, `for pid in ${server}; do echo 1000 > /proc/$pid/oom_score_adj; done`);
    await Promise.all([provider.executeCommand(id, eat).catch(() => {}), ended(id)]);
    const detail = 'exited with code 137';
    expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped', detail, cause: 'out-of-memory' });
    expect(await provider.startInstance(id)).not.toHaveProperty('cause');
    await Promise.all([container(id).kill(), ended(id)]);
    expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped', detail });
    expect(await provider.getInstance(id)).not.toHaveProperty('cause');
    await provider.deleteInstance(id);
  });

  test('a command that leaves something running answers at its own end', async () => {
    const id = await created();
    const started = performance.now();
    const result = await provider.executeCommand(id, 'sleep 60 & echo done');
    expect(result).toMatchObject({ exitCode: 0, stdout: 'done\n' });
    expect(performance.now() - started).toBeLessThan(10_000);
    await provider.deleteInstance(id);
  });

  test('a desktop editor attaches itself by the exact address of the Dev Containers extension', async () => {
    const id = await created();
    const { uri, extensionId } = await provider.abilities.attachUri(id);
    expect(extensionId).toBe('ms-vscode-remote.remote-containers');
    const [, hex = '', folder] = /^vscode-remote:\/\/attached-container\+([0-9a-f]+)(\/.*)$/.exec(uri) ?? [];
    expect(JSON.parse(Buffer.from(hex, 'hex').toString())).toEqual({
      containerName: `/remote-swarm-${id}--owner`,
      settings: { host: engine.host },
    });
    expect(folder).toBe(provider.abilities.workspacePath());
    await provider.deleteInstance(id);
  });

  test('a terminal tells its exit code, and takes what runs in it along when it is closed', async () => {
    const id = await created();
    const { open } = await provider.abilities
      .terminal(id)
      .then(spec => (spec.kind === 'stream' ? spec : expect.fail()));
    const first = await open({ columns: 80, rows: 24 });
    const exitCode = new Promise(resolve => first.onExit(resolve));
    first.onData(() => {});
    first.write('exit 7\n');
    expect(await exitCode).toBe(7);
    first.dispose();

    const second = await open({ columns: 100, rows: 30 });
    let shown = '';
    second.onData(data => {
      shown += data;
    });
    second.write('stty size; nohup sleep 300 >/dev/null 2>&1 & echo pid:$!:\n');
    await vi.waitFor(() => expect(shown).toMatch(/30 100\s+.*pid:\d+:/s), 10_000);
    const [, pid] = /pid:(\d+):/.exec(shown) ?? [];
    second.dispose();
    await vi.waitFor(
      async () => expect((await provider.executeCommand(id, `kill -0 ${pid}`)).exitCode).toBe(1),
      10_000,
    );
    await provider.deleteInstance(id);
  });

  describe('when the port that the engine chose is taken', () => {
    const blockers: Server[] = [];
    afterAll(() => {
      for (const blocker of blockers) blocker.close();
    });
    const block = async (port: number) => {
      const server = createServer();
      blockers.push(server);
      await new Promise(resolve => server.on('error', resolve).listen(port, '127.0.0.1', () => resolve(undefined)));
    };

    test('the next one is tried; when all are, it says so and the instance can be started later', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      const { port = 0 } = await provider.createInstance(spec);
      await provider.stopInstance(id);
      for (let next = port + 1; next <= port + 15; next++) await block(next);
      const { port: last = 0 } = await provider.startInstance(id);
      expect(last).toBeGreaterThan(port + 15);
      await provider.stopInstance(id);
      for (let next = last + 1; next <= last + 120; next++) await block(next);
      expect(await failureOf(provider.startInstance(id))).toMatchObject({ code: 'port-taken' });
      expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped', cause: 'exited' });
      const other = specOf();
      expect(await failureOf(provider.createInstance(other))).toMatchObject({ code: 'port-taken' });
      expect(await world.exists(other.identity.id)).toBe(false);
      for (const blocker of blockers.splice(0)) blocker.close();
      expect(await provider.startInstance(id)).toMatchObject({ status: 'running' });
      await provider.deleteInstance(id);
    });
  });

  test.each([/Checking the image/, /Making the home/, /Starting the editor/, /Waiting for the editor/])(
    'a create that is cancelled at "%s" leaves nothing',
    async at => {
      const fresh = dockerProvider({ endpoint: engine.host, image: await image('stub') });
      const inventory = await world.inventory();
      const outcome = await fresh.createInstance(specOf(), contextCancelledAt(at)).catch((error: unknown) => error);
      expect(isAbort(outcome)).toBe(true);
      expect(await world.inventory()).toEqual(inventory);
      await fresh.dispose();
    },
  );

  test('twelve creates at once, of which half are deleted while the others start', async () => {
    const specs = Array.from({ length: 12 }, () => specOf());
    await Promise.all(specs.map(spec => provider.createInstance(spec)));
    // An engine has address ranges for some thirty networks only.
    const networks = await engine.docker.listNetworks({ filters: { label: [`remote-swarm.swarm=${swarmId}`] } });
    expect(networks).toHaveLength(1);
    const [gone, kept] = [specs.slice(0, 6), specs.slice(6)];
    await Promise.all([
      ...gone.map(({ identity }) => provider.deleteInstance(identity.id)),
      ...kept.map(({ identity }) => provider.startInstance(identity.id)),
    ]);
    const seen = (await provider.abilities.observe()).filter(row => row.swarmId === swarmId).map(row => row.id);
    expect(seen.sort()).toEqual(kept.map(({ identity }) => identity.id).sort());
    const stats = await provider.abilities.stats(seen, quietContext);
    expect(stats.map(({ id }) => id).sort()).toEqual(seen);
    await Promise.all(kept.map(({ identity }) => provider.deleteInstance(identity.id)));
  });

  test('after all that the engine has what it had, but for the shared editor server', async () => {
    const left = (await world.inventory()).filter(entry => !entry.startsWith('volume remote-swarm-runtime-'));
    expect(left).toEqual(before.filter(entry => !entry.startsWith('volume remote-swarm-runtime-')));
  });
});
