import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { FlyProvider } from '../../../../src/providers/fly/flyProvider.ts';
import { appName } from '../../../../src/providers/fly/instanceMachine.ts';
import { newSpec, testSwarmId } from '../../../contract/specs.ts';
import { expectCode } from '../../../contract/tools.ts';
import { testMachine } from '../../../fakes/testMachine.ts';
import { CloudServer } from '../../../fly/support/cloudServer.ts';
import { FlyCloud } from '../../../fly/support/flyCloud.ts';

const swarmId = testSwarmId();
const ctx = quietContext;
/** Longer than what is asked at once, or again after a moment, has taken. */
const lag = 1_200;
let cloud: FlyCloud;
let server: CloudServer;
let provider: FlyProvider;

beforeEach(async () => {
  cloud = new FlyCloud({ hollow: true, listLag: 0, transientTime: 5 });
  server = await CloudServer.start(cloud);
  server.tokens.add('fo1_test');
  provider = new FlyProvider(
    {
      ...{ id: 'fly', type: 'fly', organization: 'personal', region: 'fra', diskGb: 3 },
      endpoints: { api: server.apiUrl, logs: server.logsUrl },
    },
    {
      ...{ localDirectory: '/nonexistent', editorServerDirectory: '/nonexistent' },
      launcher: path.resolve(import.meta.dirname, '../../../../media/instance/launcher.mjs'),
      machine: testMachine,
      readSecret: async () => 'fo1_test',
    },
  );
});
afterEach(async () => {
  await provider.dispose();
  await server.close();
  await cloud.close();
});

const callsOf = (pattern: RegExp) => server.calls.filter(call => pattern.test(call));
async function made(): Promise<string> {
  const spec = newSpec(swarmId);
  await provider.prepareIncoming(spec, ctx);
  return spec.identity.id;
}
const start = async (id: string) => provider.machines.start(await provider.reader.existing(id, ctx), ctx);
const machinesOf = (id: string) => [...cloud.app(appName(id)).machines.values()];

test.each([404, 401] as const)('an app that was just made, and is answered with %i, is waited for', async status => {
  Object.assign(cloud, { appLag: lag, appLagStatus: status });
  const id = await made();
  const { ips, machines, volumes } = cloud.app(appName(id));
  expect([ips.length, machines.size, volumes.size]).toEqual([1, 1, 1]);
  expect(callsOf(/^POST \/apps$/)).toHaveLength(1);
});

test('an app whose making was not answered, and which is late, is waited for, too', async () => {
  Object.assign(cloud, { appLag: lag, appLagStatus: 401 });
  server.faults.add({ call: 'POST /apps', loseReply: true });
  expect(machinesOf(await made())).toHaveLength(1);
});

test('a machine that was just made, and is answered with 404, is made once and comes', async () => {
  cloud.machineLag = lag;
  const id = await made();
  expect(await provider.getInstance(id)).toMatchObject({ id, role: 'incoming' });
  await start(id);
  expect(machinesOf(id).map(({ state }) => state)).toEqual(['started']);
  expect(callsOf(/^POST \/apps\/[^/]+\/machines$/)).toHaveLength(1);
});

test('a machine that was just made can be removed before it is known', async () => {
  cloud.machineLag = lag;
  const id = await made();
  const app = cloud.app(appName(id));
  expect(await provider.deleteInstance(id)).toBe(true);
  expect([...app.machines.values()].map(({ state }) => state)).toEqual(['destroyed']);
  expect(cloud.apps.has(appName(id))).toBe(false);
});

test('errors of the server while a machine is waited for do not end the wait', async () => {
  const id = await made();
  server.faults.add({ call: 'GET /apps/*/machines/*/wait', times: 6, answer: { status: 503 } });
  await start(id);
  expect(machinesOf(id)[0]?.state).toBe('started');
  expect(callsOf(/^GET .*\/wait$/).length).toBeGreaterThan(6);
});

test('a look at a machine succeeds without the events that tell how it ended', async () => {
  const id = await made();
  await start(id);
  const [machine] = machinesOf(id);
  cloud.tellsEvents = false;
  if (machine) cloud.stop(machine, {});
  await expect.poll(() => machine?.state).toBe('stopped');
  server.faults.add({ call: 'GET /apps/*/machines/*/events', times: 9, answer: { status: 500 } });
  expect(await provider.getInstance(id)).toMatchObject({ id, status: 'stopped' });
});

test('a name that somebody else in the world has is taken, and nothing of ours', async () => {
  const spec = newSpec(swarmId);
  const { id } = spec.identity;
  cloud.makeApp(appName(id), 'somebody-else', 'default');
  await expectCode(provider.createInstance(spec), 'id-taken');
  await expectCode(provider.prepareIncoming(spec, ctx), 'id-taken');
  expect(await provider.deleteInstance(id)).toBe(false);
  expect(cloud.apps.get(appName(id))?.organization).toBe('somebody-else');
});

test('a token that may not see the organization does not make what is ours somebody else’s', async () => {
  const id = await made();
  for (const call of ['GET /apps/*', 'GET /apps/*/machines', 'GET /apps/*/machines/*', 'GET /orgs/*/machines'])
    server.faults.add({ call, times: 9, answer: { status: 403, error: 'forbidden' } });
  await expectCode(provider.deleteInstance(id), 'not-allowed');
  server.faults.clear();
  expect(machinesOf(id)).toHaveLength(1);
});

test('logs that are followed go on after errors of the server', async () => {
  const id = await made();
  const { log } = cloud.app(appName(id));
  server.faults.add({ call: 'GET /apps/*/logs', times: 4, answer: { status: 502 } });
  const lines: string[] = [];
  let looks = 0;
  const stillRuns = async () => {
    if (looks++ === 0) log.push({ timestamp: new Date().toISOString(), message: 'said later', instance: 'm' });
    return looks < 2;
  };
  await provider.logs.follow(id, line => lines.push(line), stillRuns, ctx);
  expect(lines).toEqual([expect.stringContaining('said later')]);
});
