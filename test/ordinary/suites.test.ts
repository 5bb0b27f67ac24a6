import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { projectRoot } from '../../scripts/editorHost.ts';
import { type Engine, startEngine } from '../engine/support/engine.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { notHere } from '../fakes/notHere.ts';
import { ordinaryUserProblem } from '../fakes/ordinaryUser.ts';
import { MadeUser } from './support/madeUser.ts';

const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()) }),
      ),
    }),
  ),
});

/** What of each suite runs here: what has to do with files, processes and programs that root may treat otherwise. */
const suites = {
  unit: [
    'unit/storage/jsonFileStore',
    'unit/storage/ownRepositories',
    'unit/providers/local',
    'unit/providers/removeTree',
  ],
  contract: ['contract/local.test', 'contract/localSetup'],
  crash: ['crash/moveState', 'crash/removals'],
  ssh: ['ssh/sshHost', 'ssh/endpoints'],
  engine: ['engine/twoSwarms', 'engine/leftovers', 'engine/oneServer'],
  workbench: ['workbench/extensionHost'],
} as const;
const files = Object.values(suites).flatMap(each => each.map(file => `test/${file}`));
const projects = Object.keys(suites).map(name => `--project=${name}`);

type Results = z.infer<typeof Report>['testResults'];
const testsOf = (results: Results) => results.flatMap(each => each.assertionResults);
const countOf = (results: Results, status: string) => testsOf(results).filter(each => each.status === status).length;

/** The suites as they are run by somebody to whom neither the checkout nor the engine belongs. */
describe.skipIf(ordinaryUserProblem !== undefined)(notHere('for a user who is not root', ordinaryUserProblem), () => {
  let user: MadeUser;
  let engine: Engine;
  let isUntouched: () => Promise<unknown>;
  let ended: { code: number | null; said: string };
  let results: Results;

  beforeAll(async () => {
    user = MadeUser.make();
    engine = await startEngine({ name: 'guests' });
    user.own(engine.socket);
    isUntouched = await plantForeign(engine);
    const program = path.join(projectRoot, 'scripts', 'test.ts');
    // Nothing may be written into the checkout.
    const args = [program, '--configLoader=runner', '--no-cache', ...projects, ...files];
    ended = await user.run(process.execPath, args, { DOCKER_HOST: engine.host });
    const report = path.join(user.folder, 'remote-swarm-checkout', 'test', 'results', 'vitest.json');
    results = Report.parse(JSON.parse(readFileSync(report, 'utf8'))).testResults;
  }, 1_200_000);
  afterAll(async () => {
    user?.remove();
    await engine?.stop();
  });

  test.each(Object.keys(suites))('the suite %s passes, and what it leaves out says so', suite => {
    const own = results.filter(({ name }) => name.startsWith(path.join(projectRoot, 'test', suite)));
    const others = testsOf(own).filter(({ status }) => status !== 'passed' && status !== 'failed');
    console.log(
      `${suite}: ${countOf(own, 'passed')} passed, ${countOf(own, 'failed')} failed, ${others.length} skipped`,
    );
    const messages = testsOf(own).flatMap(each => each.failureMessages);
    expect([...own.map(each => each.message), ...messages].filter(Boolean)).toEqual([]);
    expect(testsOf(own).length, ended.said.slice(-4_000)).toBeGreaterThan(0);
    expect(others.map(({ fullName }) => fullName).filter(name => !/\(not here: .*root/.test(name))).toEqual([]);
  });

  test('the run succeeds, says which engine it uses, and leaves nothing on it or running', async () => {
    expect(ended.said).toContain(`at ${engine.socket}. They touch only what they make there`);
    expect({ ...ended, said: ended.code === 0 ? '' : ended.said.slice(-4_000) }).toEqual({ code: 0, said: '' });
    await isUntouched();
    await vi.waitFor(() => expect(user.processes()).toEqual([]), 15_000);
  });
});

/** What is on the engine, and nobody's who tests there; answers with what sees that it is as it was. */
async function plantForeign({ docker }: Engine): Promise<() => Promise<unknown>> {
  const image = await ensureTestImage(docker, 'stub');
  const labels = {
    'remote-swarm.swarm': 'ffffffffffffffff',
    'remote-swarm.check': 'remote-swarm-check-ffffffffffff',
  };
  await docker.createVolume({ Name: 'somebodys', Labels: labels });
  await docker.createNetwork({ Name: 'somebodys', Labels: labels });
  const options = { name: 'somebodys', Image: image, Labels: labels, Cmd: ['sleep', '86400'] };
  const container = await docker.createContainer({
    ...options,
    HostConfig: { NetworkMode: 'somebodys', Binds: ['somebodys:/data'] },
  });
  await container.start();
  const state = async () => {
    const { Id, State, NetworkSettings } = await container.inspect();
    const [volumes, networks, containers] = await Promise.all([
      docker.listVolumes(),
      docker.listNetworks(),
      docker.listContainers({ all: true }),
    ]);
    return {
      ...{ Id, State, networks: Object.keys(NetworkSettings.Networks), images: await docker.listImages() },
      volumes: volumes.Volumes.map(({ Name, Mountpoint }) => [Name, Mountpoint]),
      all: [...networks.map(each => each.Id), ...containers.map(each => each.Id)].sort(),
    };
  };
  const before = await state();
  return async () => expect(await state()).toEqual(before);
}
