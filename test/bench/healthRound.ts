import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import pLimit from 'p-limit';
import { projectRoot } from '../../scripts/editorHost.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { InstanceRecord } from '../../src/model/instance.ts';
import type { OperationContext } from '../../src/model/operationContext.ts';
import type { Provider } from '../../src/model/provider.ts';
import { containerName, labelsOf } from '../../src/providers/docker/instanceContainer.ts';
import { probe } from '../../src/providers/editorServer.ts';
import { ProviderFactory } from '../../src/providers/providerFactory.ts';
import { loadSwarmId } from '../../src/storage/swarmIdentity.ts';
import { diskController } from '../crash/diskController.ts';
import { startEngine } from '../engine/support/engine.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { testMachine } from '../fakes/testMachine.ts';
import type { Figure } from './figure.ts';
import { median } from './figure.ts';

export const rounds = 5;
/** Rounds follow soon after each other, so that nobody waits minutes for five. */
const pause = 5;

/**
 * Rounds of the health monitor over running containers of a real engine. They only sleep, without a network: they are
 * listed and judged as instances are, and all probes go to one server in a process of its own.
 */
export async function measureHealthRound(count: number): Promise<Figure[]> {
  const engine = await startEngine({ name: 'round' });
  const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  const server = spawn(process.execPath, ['-e', answering], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const image = await ensureTestImage(engine.docker, 'stub');
    const port = await new Promise<number>(resolve => server.stdout.once('data', text => resolve(Number(text))));
    const { swarmId } = await loadSwarmId(directory);
    await mkdir(path.join(directory, 'instances'), { recursive: true });
    const limit = pLimit(4);
    const ids = Array.from({ length: count }, (_, index) => index.toString(36).padStart(12, '0'));
    await Promise.all(ids.map(id => limit(() => makeSleeper(engine.docker, image, directory, recordOf(id, swarmId)))));
    const provider = await ProviderFactory.createProvider(
      'docker',
      { id: 'engine', type: 'docker', endpoint: engine.host, image } as { id: string; type: string },
      {
        localDirectory: directory,
        launcher: path.join(projectRoot, 'media', 'instance', 'launcher.mjs'),
        editorServerDirectory: directory,
        machine: testMachine,
        readSecret: async () => undefined,
      },
    );
    Object.assign(provider.abilities, {
      probe: (id: string, _port: number, ctx: OperationContext) => probe('127.0.0.1', port, id, ctx),
    });
    const own = await measureRounds(provider, directory, count);
    const ps = Array.from({ length: rounds }, () => timeOf(engine.host));
    const of = `health round over ${count} running containers`;
    const against = `median of ${rounds}; probes to one loopback server`;
    return [
      { name: `${of}: wall`, value: median(own.rounds.map(({ wall }) => wall)), unit: 'ms', better: 'lower', against },
      { name: `${of}: CPU`, value: median(own.rounds.map(({ cpu }) => cpu)), unit: 'ms', better: 'lower', against },
      {
        name: `${of}: list calls`,
        value: median(own.rounds.map(({ lists }) => lists)),
        unit: '',
        goal: 1,
        better: 'lower',
      },
      {
        name: 'event-loop delay, p99',
        value: own.delay,
        unit: 'ms',
        goal: 50,
        better: 'lower',
        against: `the worst of ${rounds} rounds`,
      },
      { name: 'docker ps -a: wall', value: median(ps.map(({ wall }) => wall)), unit: 'ms', better: 'lower' },
      { name: 'docker ps -a: CPU', value: median(ps.map(({ cpu }) => cpu)), unit: 'ms', better: 'lower' },
    ];
  } finally {
    server.kill();
    await engine.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

const answering = `const server = require('http').createServer((_, answer) => answer.end('stub'));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

export interface Round {
  readonly wall: number;
  readonly cpu: number;
  readonly lists: number;
}

/** The first round, which also measures CPU and memory of each container, is not among them. */
export async function measureRounds(provider: Provider, directory: string, count: number) {
  // One for each round: a histogram that is enabled again counts the time in between as a delay.
  let delay = monitorEventLoopDelay({ resolution: 1 });
  const delays: number[] = [];
  let lists = 0;
  let round = 0;
  let begun = { wall: 0, at: 0, cpu: process.cpuUsage() };
  const { observe } = provider.abilities;
  Object.assign(provider.abilities, {
    observe: (...asked: Parameters<typeof observe>) => {
      if (lists++ === 0) {
        begun = { wall: performance.now(), at: Date.now(), cpu: process.cpuUsage() };
        delay = monitorEventLoopDelay({ resolution: 1 });
        delay.enable();
      }
      return observe(...asked);
    },
  });
  const controller = await diskController(directory, new ProviderDirectory([provider]), undefined, {
    checkInterval: pause,
  });
  const seen: Round[] = [];
  try {
    await controller.initialize();
    for (; round <= rounds; round++) {
      const isJudged = () => {
        const all = controller.health.list();
        return (
          lists > 0 && all.length === count && all.every(({ checks }) => Date.parse(checks[0]?.at ?? '') >= begun.at)
        );
      };
      const deadline = performance.now() + 180_000;
      while (!isJudged()) {
        if (performance.now() > deadline) throw new Error('A round did not end.');
        await sleep(20);
      }
      const { user, system } = process.cpuUsage(begun.cpu);
      if (round > 0) seen.push({ wall: performance.now() - begun.wall, cpu: (user + system) / 1_000, lists });
      delay.disable();
      if (round > 0) delays.push(delay.percentile(99) / 1e6);
      const unwell = controller.health.list().filter(({ status }) => status !== 'healthy');
      if (unwell.length > 0)
        throw new Error(`${unwell.length} of ${count} were not seen healthy: ${unwell[0]?.reason}`);
      lists = 0;
    }
    return { rounds: seen, delay: Math.max(...delays) };
  } finally {
    delay.disable();
    await controller.dispose();
  }
}

export function recordOf(id: string, swarmId: string): InstanceRecord {
  const at = new Date().toISOString();
  return InstanceRecord.parse({
    ...{ id, swarmId, epoch: 1, owner: { user: 'ada', machine: 'engine' }, createdAt: at, providerId: 'engine' },
    ...{ role: 'owner', config: { name: `sleeper ${id}` }, status: 'running', desired: 'running' },
    ...{ schemaVersion: 1, revision: 1, statusSince: at },
  });
}

async function makeSleeper(docker: Dockerode, image: string, directory: string, record: InstanceRecord): Promise<void> {
  const container = await docker.createContainer({
    name: containerName(record, 'owner'),
    Image: image,
    Labels: labelsOf(record),
    Entrypoint: ['sleep'],
    Cmd: ['infinity'],
    Healthcheck: { Test: ['NONE'] },
    HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'none', Config: {} } },
  });
  await container.start();
  await writeFile(path.join(directory, 'instances', `${record.id}.json`), JSON.stringify(record, undefined, 2));
}

/** Milliseconds of the engine's own command line. */
function timeOf(host: string): { wall: number; cpu: number } {
  const script = `TIMEFORMAT='%R %U %S'; time docker -H '${host}' ps -a >/dev/null`;
  const said = execFileSync('bash', ['-c', `{ ${script}; } 2>&1`], { encoding: 'utf8' });
  const [real = 0, user = 0, system = 0] = said.trim().split(' ').map(Number);
  return { wall: real * 1_000, cpu: (user + system) * 1_000 };
}
