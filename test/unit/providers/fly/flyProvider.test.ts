import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { wholeInstance } from '../../../../src/core/wholeInstance.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import type { FlyProviderConfig } from '../../../../src/providers/fly/flyConfig.ts';
import { FlyProvider } from '../../../../src/providers/fly/flyProvider.ts';
import { appName, label, volumeName } from '../../../../src/providers/fly/instanceMachine.ts';
import { markOn } from '../../../../src/providers/fly/machineInstance.ts';
import { MachineMaker } from '../../../../src/providers/fly/machineMaker.ts';
import { newSpec, testSwarmId } from '../../../contract/specs.ts';
import { testMachine } from '../../../fakes/testMachine.ts';
import { CloudServer } from '../../../fly/support/cloudServer.ts';
import { FlyCloud } from '../../../fly/support/flyCloud.ts';

const launcher = path.resolve(import.meta.dirname, '../../../../media/instance/launcher.mjs');
const swarmId = testSwarmId();
let cloud: FlyCloud;
let server: CloudServer;
let config: FlyProviderConfig;
let provider: FlyProvider;

const makeProvider = () =>
  new FlyProvider(config, {
    ...{ localDirectory: '/nonexistent', editorServerDirectory: '/nonexistent', launcher },
    machine: testMachine,
    readSecret: async () => 'fo1_test',
  });

beforeEach(async () => {
  cloud = new FlyCloud({ hollow: true, listLag: 0 });
  server = await CloudServer.start(cloud);
  server.tokens.add('fo1_test');
  config = {
    ...{ id: 'fly', type: 'fly', organization: 'personal', region: 'fra', diskGb: 3 },
    endpoints: { api: server.apiUrl, logs: server.logsUrl },
  };
  provider = makeProvider();
});
afterEach(async () => {
  await provider.dispose();
  await server.close();
  await cloud.close();
});

test.each([
  ['of ours', swarmId],
  ['of another swarm', testSwarmId()],
])('a home %s outlives a create that fails and could not see who had made its app', async (_, owner) => {
  const spec = newSpec(swarmId);
  const name = appName(spec.identity.id);
  const app = cloud.makeApp(name, 'personal', name);
  const home = cloud.makeVolume(app, { name: volumeName(owner), region: 'fra' });
  server.faults.add({ call: 'POST /apps', answer: { status: 502 } });
  cloud.full.add('fra');
  await expect(provider.createInstance(spec)).rejects.toThrow();
  expect(cloud.apps.get(name)?.volumes.get(home.id)?.state).toMatch(/^creat/);
});

test('a change of a machine keeps the role that another window gave it meanwhile', async () => {
  const spec = newSpec(swarmId);
  const { id } = spec.identity;
  await provider.prepareIncoming(spec, quietContext);
  const seen = await provider.reader.existing(id, quietContext);
  await provider.moveTo('parked', id, quietContext);
  const { reader, machines, builder, gate, logs } = provider;
  const maker = new MachineMaker(config, launcher, reader, machines, builder, gate, logs);
  const changed = await maker.change(seen, { mark: markOn(seen), mode: 'hold' }, false, undefined, quietContext);
  expect(changed).toMatchObject({ role: 'parked', mode: 'hold' });
  const [machine] = cloud.app(appName(id)).machines.values();
  expect(machine?.config.metadata?.[label.role]).toBe('parked');
});

test('a connection that comes after the provider was closed is closed, too', async () => {
  const spec = newSpec(swarmId);
  const { id } = spec.identity;
  await provider.prepareIncoming(spec, quietContext);
  await provider.machines.start(await provider.reader.existing(id, quietContext), quietContext);
  const connecting = provider.abilities.connect(id);
  await provider.dispose();
  await expect(connecting).rejects.toMatchObject({ code: 'provider-unreachable' });
});

test('what a list that is behind tells of a machine is not what its instance begins with', async () => {
  const spec = newSpec(swarmId);
  const { id } = spec.identity;
  await provider.prepareIncoming(spec, quietContext);
  await provider.moveTo('parked', id, quietContext);
  cloud.listLag = 60_000;
  const [machine] = cloud.app(appName(id)).machines.values();
  const first = machine?.history[0];
  if (first) first.at = Number.NEGATIVE_INFINITY;
  const another = makeProvider();
  const [seen] = await another.abilities.observe();
  expect(seen).toMatchObject({ id, role: 'incoming' });
  expect(await wholeInstance(another, seen as never, quietContext)).toMatchObject({
    id,
    role: 'parked',
    generation: 1,
  });
});
