import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { isAbort } from '../../src/model/errors.ts';
import type { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { contextCancelledAt, dockerProvider, failureOf } from './support/dockerProviders.ts';
import { ensureTestImage } from './support/images.ts';
import { type Registry, startRegistry } from './support/registry.ts';
import { describeWithEngine, type TestEngine, testEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

describeWithEngine('an image that the engine lacks', () => {
  const swarmId = testSwarmId();
  let engine: TestEngine;
  let world: EngineWorld;
  let registry: Registry;
  let provider: DockerProvider;
  const pullsAsPerson = true;
  const removeImage = (reference: string) => engine.docker.getImage(reference).remove({ force: true });
  const hasImage = (reference: string) =>
    engine.docker
      .getImage(reference)
      .inspect()
      .then(() => true)
      .catch(() => false);

  /** What the docker command line of the person knows, for the rest of the test. */
  function dockerConfig(told: object): void {
    const directory = mkdtempSync(path.join(tmpdir(), 'remote-swarm-docker-config-'));
    writeFileSync(path.join(directory, 'config.json'), JSON.stringify(told));
    vi.stubEnv('DOCKER_CONFIG', directory);
    onTestFinished(() => {
      vi.unstubAllEnvs();
      rmSync(directory, { recursive: true });
    });
  }

  beforeAll(async () => {
    engine = await testEngine();
    world = new EngineWorld(engine.docker);
    registry = await startRegistry(25 * 1024 * 1024);
    provider = dockerProvider({ endpoint: engine.host });
    const source = await ensureTestImage(engine.docker, 'stub');
    // A layer of its own, so that removing the tags removes what a pull has to bring.
    const container = await engine.docker.createContainer({
      Image: source,
      User: '0',
      Cmd: ['sh', '-c', 'head -c 20000000 /dev/urandom > /extra'],
    });
    await container.start();
    await container.wait();
    await container.commit({ repo: `${registry.address}/team/editor`, tag: 'v1' });
    await container.remove();
    const pushed = engine.docker.getImage(`${registry.address}/team/editor:v1`);
    expect(
      await text(await pushed.push({ authconfig: { username: '', password: '', serveraddress: '' } })),
    ).not.toContain('"error"');
    await removeImage(`${registry.address}/team/editor:v1`);
  });

  afterAll(async () => {
    await provider?.dispose();
    await world?.removeSwarm(swarmId);
    for (const address of [registry?.address, registry?.slowAddress]) {
      await removeImage(`${address}/team/editor:v1`).catch(() => {});
    }
    await registry?.stop();
  });

  test('is pulled, with its progress told, and the instance runs, whatever keeps the credentials', async () => {
    const image = `${registry.slowAddress}/team/editor:v1`;
    const ctx = { ...contextCancelledAt(), pullsAsPerson };
    dockerConfig({ credsStore: 'of-nobody' });
    const spec = newSpec(swarmId, { image });
    expect(await provider.createInstance(spec, ctx)).toMatchObject({ status: 'running', config: { image } });
    expect(ctx.reports[0]).toBe(`Pulling the image ${image}`);
    expect(ctx.reports).toContainEqual(expect.stringMatching(/^Pulling the image .*: \d of \d layers$/));
    expect(ctx.fractions.length).toBeGreaterThan(3);
    expect(Math.max(...ctx.fractions)).toBeCloseTo(1, 1);
    await provider.deleteInstance(spec.identity.id);
    await removeImage(image);
  });

  test('and whose pull is cancelled leaves nothing, and the engine stops loading', async () => {
    const image = `${registry.slowAddress}/team/editor:v1`;
    const inventory = await world.inventory();
    const ctx = contextCancelledAt(/layers$/);
    const outcome = await provider.createInstance(newSpec(swarmId, { image }), ctx).catch((error: unknown) => error);
    expect(isAbort(outcome)).toBe(true);
    expect(await world.inventory()).toEqual(inventory);
    await vi.waitFor(() => expect(registry.slowConnections()).toBe(0), 10_000);
    expect(await hasImage(image)).toBe(false);
  });

  test('and that the registry lacks is an error which names it', async () => {
    const inventory = await world.inventory();
    for (const image of [`${registry.address}/team/editor:none`, `${registry.address}/team/none`]) {
      const error = await failureOf(provider.createInstance(newSpec(swarmId, { image })));
      expect(error).toMatchObject({ family: 'provider', code: 'image-not-found', retryable: false });
      expect(error.message).toContain('manifest');
    }
    expect(await world.inventory()).toEqual(inventory);
  });

  test('and whose tag has moved is the same for what is made anew, and another one for who asks for it anew', async () => {
    const repository = `${registry.address}/team/editor`;
    const image = `${repository}:moving`;
    const push = async (from: string) => {
      await engine.docker.getImage(from).tag({ repo: repository, tag: 'moving' });
      const pushed = await engine.docker
        .getImage(image)
        .push({ authconfig: { username: '', password: '', serveraddress: '' } });
      expect(await text(pushed)).not.toContain('"error"');
      return (await engine.docker.getImage(image).inspect()).Id;
    };
    onTestFinished(() => removeImage(image).catch(() => {}));
    await text(await engine.docker.pull(`${repository}:v1`));
    const first = await push(`${repository}:v1`);
    const spec = newSpec(swarmId, { image, resources: { memoryMb: 512 } });
    const { id } = spec.identity;
    const { pinnedImage = '' } = await provider.createInstance(spec);
    expect(pinnedImage).toMatch(new RegExp(`^${image}@sha256:[0-9a-f]{64}$`));
    const second = await push(await ensureTestImage(engine.docker, 'stub'));
    expect(second).not.toBe(first);
    const runs = async () => {
      const [row] = await engine.docker.listContainers({
        all: true,
        filters: { label: [`remote-swarm.instance=${id}`] },
      });
      return row?.ImageID;
    };

    expect(await provider.abilities.recreateInstance({ ...spec, pinnedImage })).toMatchObject({ pinnedImage });
    expect(await runs()).toBe(first);
    expect(await provider.updateInstance(id, { resources: {} })).toMatchObject({ pinnedImage });
    expect(await runs()).toBe(first);
    // Nothing of it is left on the engine: its registry has it.
    await engine.docker
      .getContainer((await provider.containers.existing(id, contextCancelledAt())).containerId)
      .remove({ force: true });
    await removeImage(first);
    expect(await provider.abilities.recreateInstance({ ...spec, pinnedImage })).toMatchObject({ pinnedImage });
    expect(await runs()).toBe(first);

    const renewed = await provider.updateInstance(id, { image, renewsImage: true });
    expect(renewed.pinnedImage).not.toBe(pinnedImage);
    expect(await runs()).toBe(second);
    await provider.deleteInstance(id);
  });

  test('and that is in a private registry is pulled with a person’s credentials for a person, and for nobody else', async () => {
    const login = { username: 'ann', password: 'correct-horse' };
    // Of that password, made by libxcrypt.
    const own = await startRegistry(1, 'ann:$2b$04$pzpJY/G2Ef62aOlQ88Y23.Xr9Rie3/7EH558TkSIf.KciZc.BHhd6\n');
    const image = `${own.address}/team/private:v1`;
    onTestFinished(async () => {
      await removeImage(image).catch(() => {});
      await own.stop();
    });
    const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
    await engine.docker
      .getImage(await ensureTestImage(engine.docker, 'stub'))
      .tag({ repo: `${own.address}/team/private`, tag: 'v1' });
    const pushed = await engine.docker.getImage(image).push({ authconfig: { ...login, serveraddress: own.address } });
    expect(await text(pushed)).not.toContain('"error"');
    await removeImage(image);

    dockerConfig({ auths: { [own.address]: { auth } } });
    for (const other of [{ pullsAsPerson: false }, {}]) {
      const error = await failureOf(
        provider.createInstance(newSpec(swarmId, { image }), { ...contextCancelledAt(), ...other }),
      );
      expect(error).toMatchObject({ family: 'provider', code: 'image-not-found' });
      expect(await hasImage(image)).toBe(false);
    }
    dockerConfig({ credsStore: 'of-nobody' });
    const unhelped = provider.createInstance(newSpec(swarmId, { image }), { ...contextCancelledAt(), pullsAsPerson });
    expect(await failureOf(unhelped)).toMatchObject({ code: 'credentials-unavailable' });
    dockerConfig({ auths: { [own.address]: { auth } } });
    const spec = newSpec(swarmId, { image });
    expect(await provider.createInstance(spec, { ...contextCancelledAt(), pullsAsPerson })).toMatchObject({
      status: 'running',
      config: { image },
    });
    await provider.deleteInstance(spec.identity.id);
  });
});
