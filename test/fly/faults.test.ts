import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { quietContext } from '../../src/model/operationContext.ts';
import { FlyProvider } from '../../src/providers/fly/flyProvider.ts';
import { appName, volumeName } from '../../src/providers/fly/instanceMachine.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { expectCode } from '../contract/tools.ts';
import type { LoneProvider } from '../fakes/loneProvider.ts';
import { notHere } from '../fakes/notHere.ts';
import { machineProblem } from './support/flyCloud.ts';
import { type FlyScene, openFlyScene, organization } from './support/flyScene.ts';

describe.skipIf(machineProblem() !== undefined)(notHere('when Fly.io is not at its best', machineProblem()), () => {
  const swarmId = testSwarmId();
  let scene: FlyScene;
  let provider: LoneProvider;

  beforeAll(async () => {
    scene = await openFlyScene();
    provider = scene.makeProvider();
    await provider.initialize();
  });
  afterAll(() => scene?.close());
  beforeEach(() => {
    scene.server.faults.clear();
    scene.server.calls.length = 0;
    scene.cloud.full.clear();
  });

  const machineOf = (id: string) => {
    const machine = [...scene.cloud.app(appName(id)).machines.values()].find(({ state }) => state !== 'destroyed');
    if (!machine) throw new Error('no machine');
    return machine;
  };
  const callsOf = (pattern: RegExp) => scene.server.calls.filter(call => pattern.test(call));
  async function created(): Promise<string> {
    return (await provider.createInstance(newSpec(swarmId))).id;
  }

  test.each(['POST /apps', 'POST /apps/*/volumes', 'POST /apps/*/machines', 'POST /apps/*/secrets'])(
    'a create whose answer to %s was lost makes one of each',
    async call => {
      scene.server.faults.add({ call, loseReply: true });
      const id = await created();
      const { machines, volumes } = scene.cloud.app(appName(id));
      expect([machines.size, volumes.size]).toEqual([1, 1]);
      expect((await provider.abilities.observe()).filter(row => row.id === id)).toMatchObject([{ status: 'running' }]);
      expect(callsOf(/^POST \/apps\/[^/]+\/machines$/)).toHaveLength(1);
      await provider.deleteInstance(id);
    },
  );

  test('what a create that was cut off has left is gone on with, or goes as a whole', async () => {
    const { cloud } = scene;
    for (const ending of ['created', 'deleted']) {
      const spec = newSpec(swarmId);
      const { id } = spec.identity;
      const app = cloud.makeApp(appName(id), organization, appName(id));
      cloud.makeVolume(app, { name: volumeName(swarmId), region: 'ams' });
      if (ending === 'created') {
        expect(await provider.createInstance(spec)).toMatchObject({ id, status: 'running' });
        expect([app.machines.size, app.volumes.size]).toEqual([1, 1]);
        expect(machineOf(id).region).toBe('ams');
      }
      expect(await provider.deleteInstance(id)).toBe(true);
      expect(cloud.apps.has(appName(id))).toBe(false);
    }
  });

  test('an image whose tag has moved is the same for all that is done to an instance, until it is asked for anew', async () => {
    const { digests } = scene.cloud;
    const [first, second] = [`sha256:${'1'.repeat(64)}`, `sha256:${'2'.repeat(64)}`];
    const image = 'team/dev:1';
    digests.set(image, first);
    const spec = newSpec(swarmId, { image });
    const { id } = spec.identity;
    const pinnedImage = `${image}@${first}`;
    expect(await provider.createInstance(spec)).toMatchObject({ pinnedImage });
    digests.set(image, second);
    expect(await provider.updateInstance(id, { resources: { memoryMb: 1024 } })).toMatchObject({ pinnedImage });
    await provider.stopInstance(id);
    // Its home is read by a machine of another config.
    const home = await provider.abilities.openHome?.(id, 'digest');
    await home?.end();
    expect(machineOf(id).digest).toBe(first);
    expect(await provider.abilities.recreateInstance({ ...spec, pinnedImage })).toMatchObject({ pinnedImage });
    expect(machineOf(id).digest).toBe(first);
    await provider.updateInstance(id, { image, renewsImage: true });
    expect(machineOf(id).digest).toBe(second);
    await provider.deleteInstance(id);
  });

  test('what a later version has noted is shown, is no stray home, and is neither changed, made anew nor removed', async () => {
    const spec = newSpec(swarmId);
    const { id } = await provider.createInstance(spec);
    const { metadata: notes = {} } = machineOf(id).config;
    const app = scene.cloud.app(appName(id));
    const acts = [
      () => provider.deleteInstance(id),
      () => provider.abilities.recreateInstance(spec),
      () => provider.updateInstance(id, { ports: [80] }),
      () => provider.abilities.trashInstance(id),
    ];
    notes['remote-swarm.role'] = 'frozen';
    expect(await provider.getInstance(id)).toMatchObject({ id, status: 'unknown', detail: expect.any(String) });
    expect((await provider.abilities.observe()).filter(row => row.id === id)).toMatchObject([{ status: 'unknown' }]);
    for (const act of acts) await expectCode(act(), 'reserved-file-unreadable');
    const noted = JSON.stringify({ all: 'else' });
    Object.assign(notes, { 'remote-swarm.role': 'owner', 'remote-swarm.config': noted });
    expect(await provider.getInstance(id)).toMatchObject({
      status: 'running',
      detail: expect.stringContaining('config'),
    });
    await expectCode(provider.updateInstance(id, { ports: [80] }), 'reserved-file-unreadable');
    expect(machineOf(id).config.metadata?.['remote-swarm.config']).toBe(noted);

    const [volume] = app.volumes.values();
    await scene.cloud.removeMachine(machineOf(id), true);
    await expect.poll(() => volume?.machine).toBeUndefined();
    const strays = async () => (await provider.abilities.strayHomes?.(swarmId))?.map(home => home.id);
    expect(await strays()).toContain(id);
    app.secrets.set('REMOTE_SWARM_OWNER', Buffer.from(noted).toString('base64'));
    expect(await strays()).not.toContain(id);
    const claim = { swarmId, epoch: 1 };
    await expectCode(provider.deleteInstance(id, { ...quietContext, claim }), 'reserved-file-unreadable');
    expect(volume?.state).toBe('created');
    app.secrets.delete('REMOTE_SWARM_OWNER');
    await provider.deleteInstance(id);
  });

  test('a storm of 429 is waited out for as long as it says', async () => {
    const id = await created();
    await provider.stopInstance(id);
    scene.server.faults.add({
      call: 'POST /apps/*/machines/*/start',
      times: 2,
      answer: { status: 429, retryAfter: 1 },
    });
    const begin = performance.now();
    expect(await provider.startInstance(id)).toMatchObject({ status: 'running' });
    expect(performance.now() - begin).toBeGreaterThan(1_900);
    expect(callsOf(/^POST .*\/start$/)).toHaveLength(3);
    await provider.deleteInstance(id);
  });

  test('a machine that somebody else has leased is left alone until it is given back', async () => {
    const id = await created();
    const machine = machineOf(id);
    machine.lease = { nonce: 'somebody-elses', until: Date.now() + 60_000 };
    const stopping = provider.stopInstance(id);
    await vi.waitFor(() => expect(callsOf(/^POST .*\/lease$/).length).toBeGreaterThan(2), 10_000);
    expect(machine.state).toBe('started');
    expect(callsOf(/^POST .*\/stop$/)).toEqual([]);
    machine.lease = undefined;
    expect(await stopping).toMatchObject({ status: 'stopped' });
    expect(machine.lease).toBeUndefined();
    await provider.deleteInstance(id);
  });

  test('where there is no room nothing is left, it is said what to do, and another region is it', async () => {
    scene.cloud.full.add('fra');
    const spec = newSpec(swarmId);
    await expectCode(provider.createInstance(spec), 'no-capacity');
    expect(scene.cloud.apps.has(appName(spec.identity.id))).toBe(false);
    const { id } = await provider.createInstance({ ...spec, region: 'ams' });
    expect([
      machineOf(id).region,
      ...[...scene.cloud.app(appName(id)).volumes.values()].map(({ region }) => region),
    ]).toEqual(['ams', 'ams']);
    await provider.deleteInstance(id);
  });

  test('no room beside a home that is there leaves the home', async () => {
    const spec = newSpec(swarmId);
    const { id } = spec.identity;
    await provider.createInstance(spec);
    await provider.executeCommand(id, 'echo kept > file');
    scene.cloud.full.add('fra');
    await expectCode(provider.abilities.recreateInstance(spec), 'no-capacity');
    expect(await provider.abilities.hasHome(id)).toBe(true);
    scene.cloud.full.clear();
    await provider.abilities.recreateInstance(spec);
    expect((await provider.executeCommand(id, 'cat file')).stdout).toBe('kept\n');
    await provider.deleteInstance(id);
  });

  test('while the host of a machine is away it is unknown to everybody, and nothing is made or done', async () => {
    const spec = newSpec(swarmId);
    const { id } = await provider.createInstance(spec);
    const { machines, volumes } = scene.cloud.app(appName(id));
    const [volume] = volumes.keys();
    // One that has seen it before, and one that has not. What only fails is not tried again.
    const makeBare = () => new FlyProvider(scene.config, scene.environment);
    const seenBefore = makeBare();
    await vi.waitFor(async () =>
      expect((await seenBefore.listInstances()).filter(seen => seen.id === id)).toMatchObject([{ status: 'running' }]),
    );
    scene.cloud.away.add(volume ?? '');
    scene.server.calls.length = 0;
    for (const each of [seenBefore, makeBare()]) {
      const { abilities } = each;
      const row = { id, swarmId, role: 'owner', status: 'unknown' };
      expect((await abilities.observe()).filter(seen => seen.id === id)).toMatchObject([row]);
      expect(await each.getInstance(id)).toMatchObject(row);
      const makers = [each.createInstance(spec), abilities.recreateInstance(spec), abilities.prepareIncoming(spec)];
      const acts =
        each !== seenBefore
          ? makers
          : [
              ...makers,
              each.startInstance(id),
              each.stopInstance(id),
              each.updateInstance(id, { name: 'other' }),
              abilities.trashInstance(id),
              abilities.setRole(id, 'parked'),
              abilities.hasHome(id),
              each.deleteInstance(id),
            ];
      const outcomes = await Promise.allSettled(acts);
      expect([...machines.values()].map(({ state }) => state)).toEqual(['started']);
      expect(outcomes).toMatchObject(
        acts.map(() => ({ status: 'rejected', reason: { code: 'provider-unreachable' } })),
      );
    }
    expect(callsOf(/^(POST|DELETE) /)).toEqual([]);
    scene.cloud.away.clear();
    expect(await provider.getInstance(id)).toMatchObject({ status: 'running', config: { name: spec.name } });
    await provider.deleteInstance(id);
  });

  test('no machine tells the value of a variable; what a release before has noted goes at the next start', async () => {
    const env = { PLAIN: 'a-plain-value', OTHER: 'two' };
    const spec = { ...newSpec(swarmId, { env, secretEnv: ['SECRET'] }), secrets: { SECRET: 'a-secret-value' } };
    const { id } = await provider.createInstance(spec);
    const told = () => JSON.stringify([machineOf(id).config, scene.cloud.listed(machineOf(id))]);
    const values = /a-(plain|secret)-value/;
    const printed = async () => (await provider.executeCommand(id, 'echo $PLAIN $OTHER $SECRET')).stdout;
    expect(told()).not.toMatch(values);
    expect(await provider.getInstance(id)).toMatchObject({ config: { env } });
    expect((await provider.listInstances()).find(each => each.id === id)).toMatchObject({ config: { env } });

    // Its home is read while it is stopped, by a machine in another mode.
    await provider.stopInstance(id);
    const home = await provider.abilities.openHome?.(id, 'digest');
    for await (const _ of home?.output ?? []);
    await home?.done;
    expect(await provider.startInstance(id)).toMatchObject({ config: { env } });
    await provider.updateInstance(id, { env: { PLAIN: 'a-plain-value' } });
    expect(await printed()).toBe('a-plain-value a-secret-value\n');
    expect(await provider.updateInstance(id, { name: 'renamed' })).toMatchObject({
      config: { name: 'renamed', env: { PLAIN: 'a-plain-value' } },
    });
    expect(told()).not.toMatch(values);

    await provider.stopInstance(id);
    const machine = machineOf(id);
    const { 'remote-swarm.variables': _, ...metadata } = machine.config.metadata ?? {};
    const config = { ...JSON.parse(metadata['remote-swarm.config'] ?? ''), env: { PLAIN: 'a-plain-value' } };
    machine.config = { ...machine.config, metadata: { ...metadata, 'remote-swarm.config': JSON.stringify(config) } };
    expect(await provider.startInstance(id)).toMatchObject({ config });
    await vi.waitFor(() => expect(told()).not.toMatch(values));
    expect(await printed()).toBe('a-plain-value a-secret-value\n');
    await provider.deleteInstance(id);
  });

  test('nothing is made or started beside a machine that has the volume already', async () => {
    const spec = newSpec(swarmId);
    const { id } = await provider.createInstance(spec);
    const app = scene.cloud.app(appName(id));
    const [volume] = app.volumes.keys();
    await provider.stopInstance(id);
    const { config } = machineOf(id);
    scene.cloud.away.add(volume ?? '');
    const other = scene.cloud.makeMachine(app, { name: 'other', region: 'fra', config: { ...config, metadata: {} } });
    scene.cloud.away.clear();
    await vi.waitFor(() => expect(other.state).toBe('started'), 10_000);
    await expectCode(provider.startInstance(id), 'instance-busy');
    await expectCode(
      provider.updateInstance(id, { resources: { cpuCores: 4 } }).then(() => provider.startInstance(id)),
      'instance-busy',
    );
    await expectCode(provider.abilities.recreateInstance(spec), 'instance-busy');
    expect([...app.machines.values()].map(({ state }) => state)).toEqual(['stopped', 'started']);
    await provider.deleteInstance(id);
  });

  test('lists that lag neither double an instance nor lose or keep one', async () => {
    const { listLag } = scene.cloud;
    scene.cloud.listLag = 2_500;
    const spec = newSpec(swarmId);
    const { id } = spec.identity;
    const rows = async () => (await provider.abilities.observe()).filter(row => row.id === id);
    await provider.createInstance(spec);
    expect(await rows()).toMatchObject([{ status: 'running' }]);
    expect(await scene.makeProvider().createInstance(spec)).toMatchObject({ id, status: 'running' });
    expect(scene.cloud.app(appName(id)).machines.size).toBe(1);
    await provider.stopInstance(id);
    expect(await rows()).toMatchObject([{ status: 'stopped' }]);
    await provider.deleteInstance(id);
    expect(await rows()).toEqual([]);
    scene.cloud.listLag = listLag;
  });

  test('errors of the server pass, and a change is made once', async () => {
    const id = await created();
    scene.server.faults.add({ call: 'GET /apps/*/machines/*', times: 2, answer: { status: 503 } });
    expect(await provider.getInstance(id)).toMatchObject({ status: 'running' });
    await provider.stopInstance(id);
    scene.server.faults.add({ call: 'POST /apps/*/machines/*/start', answer: { status: 500 } });
    expect(await provider.startInstance(id)).toMatchObject({ status: 'running' });
    await provider.deleteInstance(id);
  });

  test('a token that was revoked is told, nothing is taken for gone, and another one goes on', async () => {
    const id = await created();
    const { token } = scene;
    scene.server.tokens.delete(token);
    await expectCode(provider.abilities.observe(), 'token-refused');
    await expectCode(provider.getInstance(id), 'token-refused');
    await expectCode(provider.initialize(), 'token-refused');
    const said = await provider.getInstance(id).catch((error: Error) => `${error.message} ${JSON.stringify(error)}`);
    expect(said).not.toContain(token);
    scene.server.tokens.add('another');
    scene.token = 'FlyV1 another';
    expect(await provider.getInstance(id)).toMatchObject({ status: 'running' });
    await provider.deleteInstance(id);
    scene.token = '';
    await expectCode(provider.initialize(), 'token-missing');
    scene.token = token;
    scene.server.tokens.add(token);
  });

  test('a name that somebody else in the world has is refused', async () => {
    const spec = newSpec(swarmId);
    scene.cloud.makeApp(appName(spec.identity.id), 'somebody-else', 'default');
    await expectCode(provider.createInstance(spec), 'id-taken');
    expect(await provider.deleteInstance(spec.identity.id)).toBe(false);
    expect(scene.cloud.apps.get(appName(spec.identity.id))?.organization).toBe('somebody-else');
  });

  test('nothing of all that was against the document of Fly.io', () => {
    expect(scene.guard.violations()).toEqual([]);
  });

  test('an answer that is not as in the document is not let through either', async () => {
    const app = scene.cloud.makeApp('seeded-answer', organization, 'x');
    Object.assign(app, { name: 5 });
    const headers = { authorization: `Bearer ${scene.token}` };
    const wrong = await fetch(`${scene.guard.url}/apps/seeded-answer`, { headers });
    expect([wrong.status, await wrong.text()]).toEqual([500, expect.stringContaining('name must be string')]);
    scene.cloud.apps.delete('seeded-answer');
  });

  test('a field that is not in the document is not let through, and is told', async () => {
    const call = (body: unknown) =>
      fetch(`${scene.guard.url}/apps`, {
        method: 'POST',
        headers: { authorization: `Bearer ${scene.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const wrong = await call({ name: 'seeded', org_slug: 'personal', netwrok: 'x' });
    expect([wrong.status, await wrong.text()]).toEqual([422, expect.stringContaining('netwrok')]);
    expect(scene.cloud.apps.has('seeded')).toBe(false);
    expect((await call({ name: 'seeded', org_slug: 'personal', network: 'x' })).status).toBe(201);
    await vi.waitFor(
      () =>
        expect(scene.guard.violations().slice(-1)).toEqual([
          expect.stringMatching(/post \/apps .*UNPROCESSABLE_ENTITY/),
        ]),
      5_000,
    );
  });
});
