import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { InstanceHealth } from '../../src/model/health.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import { diskController } from '../crash/diskController.ts';
import { type Call, type CountingDoor, openCountingDoor } from './support/countingDoor.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { EngineInstances, guardedDocker } from './support/engineInstances.ts';
import { ensureTestImage } from './support/images.ts';
import type { Shown } from './support/monitoringWindow.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';

/** Rounds over which calls are counted, in the long form (REMOTE_SWARM_SOAK=1) and in the short one. */
const rounds = process.env.REMOTE_SWARM_SOAK === '1' ? 60 : 4;

/** The call of a round that tells of all that is ours. */
const list = 'GET /containers/json remote-swarm.instance';

const until = (condition: () => boolean, timeout = 30_000) => vi.waitUntil(condition, { timeout, interval: 20 });

/** The processes that a window has spawned and that run. Throws when it runs no more itself. */
const children = ({ process: { pid } }: Window) =>
  readdirSync(`/proc/${pid}/task`).flatMap(
    thread => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').match(/\d+/g) ?? [],
  );

/** A window, and the door through which it alone reaches the engine. */
interface Window {
  readonly process: ChildProcess;
  readonly door: CountingDoor;
  /** As it said last; undefined before it is open. */
  shown(): Shown | undefined;
}

describeWithOwnEngine('windows on one state directory and one engine', () => {
  let engine: Engine;
  let image: string;
  let directory: string;
  let instanceId: string;
  const windows: Window[] = [];

  beforeAll(async () => {
    engine = await startEngine({ name: 'windows' });
    image = await ensureTestImage(engine.docker, 'stub');
    directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-windows-'));
    const provider = await guardedDocker('engine', { endpoint: engine.host, image });
    const swarm = await diskController(directory, new ProviderDirectory([provider]));
    instanceId = (await swarm.createInstance({ name: 'one' }, 'engine')).id;
    await swarm.dispose();
  });

  afterAll(async () => {
    for (const window of windows) {
      window.process.kill('SIGKILL');
      await window.door.close();
    }
    await engine?.stop();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  async function open(number: number): Promise<Window> {
    const door = await openCountingDoor(engine.socket, path.join(engine.root, `door${number}`));
    const file = path.join(import.meta.dirname, 'support', 'monitoringWindow.ts');
    const args = ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', file, directory, door.host, image];
    const process = spawn(globalThis.process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    process.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const shown = () => {
      const line = output.split('\n').at(-2);
      return line === undefined ? undefined : (JSON.parse(line) as Shown);
    };
    const window = { process, door, shown };
    windows.push(window);
    return window;
  }

  /** All calls of all windows, in the order of their coming. */
  const calls = () => windows.flatMap(({ door }) => door.calls).sort((one, other) => one.at - other.at);
  const resetAll = () => {
    for (const { door } of windows) door.reset();
  };
  const isHealthy = (window: Window) =>
    window.shown()?.reachable === true && window.shown()?.instances[0]?.health === 'healthy';

  /** Calls from the list that begins one round to the list that begins the last, by the clock and by rounds. */
  async function countCalls(): Promise<{ aMinute: number; aRound: number }> {
    resetAll();
    const lists = () => calls().filter(({ kind }) => kind === list);
    await until(() => lists().length > rounds, rounds * 4_000);
    const [first, last] = [lists().at(0), lists().at(rounds)] as [Call, Call];
    const between = calls().filter(({ at }) => at >= first.at && at < last.at);
    return { aMinute: (between.length / (last.at - first.at)) * 60_000, aRound: between.length / rounds };
  }

  /** That it says so, and that nobody else has asked the engine for anything since the last reset. */
  function expectOnlyObserver(observer: Window): void {
    const isIt = windows.map(window => window === observer);
    expect(windows.map(window => window.shown()?.observes)).toEqual(isIt);
    expect(windows.map(({ door }) => door.calls.length > 0)).toEqual(isIt);
  }

  test(
    'eight ask as much as one, opening them asks nothing, and a stopped observer does nothing once it wakes',
    async () => {
      const one = await open(1);
      await until(() => isHealthy(one));
      const alone = await countCalls();

      resetAll();
      const others = await Promise.all([2, 3, 4, 5, 6, 7, 8].map(open));
      await until(() => others.every(isHealthy));
      const opening = others.flatMap(({ door }) => door.calls.map(({ kind }) => kind));
      const together = await countCalls();
      console.log(
        `${rounds} rounds of 2.1 s: ${alone.aMinute.toFixed(1)} engine calls a minute with 1 window,`,
        `${together.aMinute.toFixed(1)} with 8; opening 7 more made ${opening.length}`,
      );
      expect(opening).toEqual([]);
      // By rounds: how evenly those come is this machine's load.
      expect(Math.abs(together.aRound / alone.aRound - 1)).toBeLessThan(0.1);
      expectOnlyObserver(one);
      expect(windows.map(children)).toEqual(windows.map(() => []));

      // When its next round is due sooner than its next look at the lease: it is the first that it does when it wakes.
      const latest = one.door.calls.findLast(({ kind }) => kind === list)?.at ?? Number.NaN;
      await until(() => performance.now() - latest > 1_900);
      one.process.kill('SIGSTOP');
      const stopped = performance.now();
      const asked = (window: Window) => window.door.calls.find(({ kind, at }) => kind === list && at > stopped);
      await until(() => others.some(asked), 20_000);
      const successor = others.find(asked) as Window;
      const took = (asked(successor)?.at ?? Number.NaN) - stopped;
      // Its events lie ready for the one that is stopped, too.
      await engine.docker.getContainer(`remote-swarm-${instanceId}--owner`).kill();
      const health = new JsonFileStore(path.join(directory, 'health'), InstanceHealth, 1);
      const attempts = async () => (await health.read(instanceId))?.recovery.attempts ?? [];
      await vi.waitUntil(async () => (await attempts()).at(-1)?.outcome === 'succeeded', { timeout: 20_000 });

      resetAll();
      one.process.kill('SIGCONT');
      await until(() => one.shown()?.observes === false);
      successor.door.reset();
      await until(() => successor.door.calls.filter(({ kind }) => kind === list).length > 1);
      console.log(
        `another observer ${Math.round(took)} ms after SIGSTOP; the one that was stopped asked, once it woke:`,
        JSON.stringify(one.door.calls.map(({ kind }) => kind)),
      );
      expect(took).toBeLessThanOrEqual(15_000);
      expect(one.door.calls).toEqual([]);
      expectOnlyObserver(successor);
      expect(await attempts()).toMatchObject([{ rung: 'restart', outcome: 'succeeded' }]);
      await until(() => windows.every(isHealthy));
      await new EngineInstances(engine).serverPid(instanceId);

      for (const window of windows) {
        expect(window.process.kill('SIGTERM'), 'it had not ended by itself').toBe(true);
        await once(window.process, 'exit', { signal: AbortSignal.timeout(60_000) });
      }
    },
    120_000 + rounds * 6_000,
  );
});
