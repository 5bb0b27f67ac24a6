import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { HealthBook } from '../../src/core/health/healthBook.ts';
import { InstanceHealth } from '../../src/model/health.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import type { LeaseTiming } from '../../src/storage/leaderLease.ts';

const id = 'aaaaaaaaaaaa';

/** One act of an observer, at a time of the wall clock. */
interface Act {
  pid: number;
  epoch: number;
  at: number;
}

const until = (condition: () => boolean | Promise<boolean>, timeout = 30_000) =>
  vi.waitUntil(condition, { timeout, interval: 20 });

/** A state directory with windows on it, each a process, and the log of all that their observers did. */
class Windows {
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'observers-'));
  readonly #log = path.join(this.#directory, 'acts');
  readonly #state = path.join(this.#directory, 'state');
  readonly store = new JsonFileStore(path.join(this.#state, 'health'), InstanceHealth, 1);
  readonly all: ReturnType<Windows['open']>[] = [];

  static async start(count: number, timing?: LeaseTiming): Promise<Windows> {
    const windows = new Windows();
    onTestFinished(async () => {
      await Promise.all(windows.all.map(window => window.end('SIGKILL')));
      rmSync(windows.#directory, { recursive: true, force: true });
    });
    for (let opened = 0; opened < count; opened += 1) windows.all.push(windows.open(timing));
    await until(() => windows.all.every(({ said }) => said().some(({ ready }) => ready)));
    await until(() => windows.acts().length > 0);
    return windows;
  }

  open(timing?: LeaseTiming) {
    const file = path.join(import.meta.dirname, 'observerWindow.ts');
    const quiet = '--disable-warning=MODULE_TYPELESS_PACKAGE_JSON';
    const args = [quiet, file, this.#state, this.#log, ...(timing ? [JSON.stringify(timing)] : [])];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = once(child, 'close');
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    return {
      pid: child.pid,
      said: (): { ready?: true; stopping?: true; epoch?: number | null }[] =>
        output.split('\n').flatMap(line => (line ? [JSON.parse(line)] : [])),
      signal: (signal: NodeJS.Signals) => child.kill(signal),
      end: async (signal: NodeJS.Signals) => {
        child.kill(signal);
        await closed;
      },
    };
  }

  /** In the order in which they were done. */
  acts(): Act[] {
    if (!existsSync(this.#log)) return [];
    const lines = readFileSync(this.#log, 'utf8').split('\n');
    return lines.flatMap(line => (line ? [JSON.parse(line)] : []));
  }

  holder() {
    const act = this.acts().at(-1);
    const window = this.all.find(({ pid }) => pid === act?.pid);
    if (!act || !window) throw new Error('Nobody has acted.');
    return { window, epoch: act.epoch };
  }

  /** Ends, or stops, the observer; the milliseconds until another one acts. */
  async takeover(how: 'SIGKILL' | 'SIGTERM' | 'SIGUSR2') {
    const { window, epoch } = this.holder();
    const begun = Date.now();
    window.signal(how);
    const first = () => this.acts().find(act => act.epoch > epoch && act.pid !== window.pid);
    await until(() => first() !== undefined);
    return { window, epoch, took: (first()?.at ?? Number.NaN) - begun };
  }

  /** Nobody acted under an epoch once another one had acted under a higher one, and no epoch had two holders. */
  async expectOneAtATime(): Promise<void> {
    const acts = this.acts();
    const epochs = acts.map(({ epoch }) => epoch);
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
    const holds = new Set(acts.map(({ epoch, pid }) => `${epoch} ${pid}`));
    expect(holds.size).toBe(new Set(epochs).size);
    const written = ((await this.store.read(id))?.history ?? []).map(({ latencyMs }) => latencyMs ?? 0);
    expect(written).toEqual(written.toSorted((a, b) => a - b));
    expect(written.filter(epoch => !epochs.includes(epoch))).toEqual([]);
  }
}

describe.skipIf(process.platform === 'win32')('windows on one state directory', () => {
  const timing = { lease: 3_000, renewEvery: 500, retryEvery: 200 };

  test('eight have one observer at any time, whoever is killed, stopped, woken or closed', async () => {
    const windows = await Windows.start(8, timing);

    const killed = await windows.takeover('SIGKILL');
    expect(killed.took).toBeLessThan(timing.lease + 1_000);

    const stopped = await windows.takeover('SIGUSR2');
    expect(stopped.took).toBeLessThan(timing.lease + 1_000);
    const { length } = windows.acts();
    await until(() => windows.acts().length > length + 5);
    stopped.window.signal('SIGCONT');
    await until(() => stopped.window.said().at(-1)?.epoch === null);
    const woken = windows.acts().length;
    await until(() => windows.acts().length > woken + 5);
    expect(windows.acts().findLast(({ pid }) => pid === stopped.window.pid)?.epoch).toBe(stopped.epoch);

    const closed = await windows.takeover('SIGTERM');
    expect(closed.took).toBeLessThan(timing.retryEvery + 1_000);
    console.log(
      `a lease of ${timing.lease} ms: another observer ${killed.took} ms after kill -9,`,
      `${stopped.took} ms after SIGSTOP, ${closed.took} ms after closing`,
    );

    // The one that had been stopped waits like the others.
    await Promise.all(windows.all.filter(window => window !== stopped.window).map(window => window.end('SIGTERM')));
    await until(() => windows.acts().at(-1)?.pid === stopped.window.pid);
    await stopped.window.end('SIGTERM');
    await windows.expectOneAtATime();
  }, 120_000);

  test('what a person wants in another window stands, whatever the observer writes meanwhile', async () => {
    const windows = await Windows.start(2, timing);
    const book = new HealthBook(windows.store, () => 1);
    onTestFinished(() => book.dispose());
    await book.load();
    const read = async () => (await windows.store.read(id)) ?? { revision: 0, pausedSince: undefined };
    await until(async () => (await read()).revision > 0);
    for (let turn = 0; turn < 20; turn += 1) {
      const wanted = turn % 2 === 0 ? new Date(turn).toISOString() : undefined;
      await book.amend(id, ({ pausedSince: _, ...health }) => (wanted ? { ...health, pausedSince: wanted } : health));
      const { revision } = await read();
      await until(async () => (await read()).revision > revision + 1);
      expect((await read()).pausedSince).toBe(wanted);
    }
    await windows.expectOneAtATime();
  }, 120_000);

  test('the lease of every day: another observer within 15 s of kill -9 or SIGSTOP, and 2.5 s of closing', async () => {
    const [one, other] = await Promise.all([Windows.start(3), Windows.start(3)]);
    const [killed, stopped] = await Promise.all([one.takeover('SIGKILL'), other.takeover('SIGUSR2')]);
    stopped.window.signal('SIGCONT');
    const closed = await one.takeover('SIGTERM');
    console.log(
      `a lease of 15000 ms: another observer ${killed.took} ms after kill -9,`,
      `${stopped.took} ms after SIGSTOP, ${closed.took} ms after closing`,
    );
    expect(killed.took).toBeLessThanOrEqual(15_000);
    expect(stopped.took).toBeLessThanOrEqual(15_000);
    expect(closed.took).toBeLessThanOrEqual(2_500);
    await until(() => stopped.window.said().at(-1)?.epoch === null);
    await Promise.all([one.expectOneAtATime(), other.expectOneAtATime()]);
  }, 120_000);
});
