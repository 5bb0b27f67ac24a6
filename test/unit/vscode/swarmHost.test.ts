import { describe, expect, test } from 'vitest';
import { Emitter } from '../../../src/model/event.ts';
import { type SwarmCore, SwarmHost } from '../../../src/vscode/swarmHost.ts';

/** Counts what is built and disposed; fails as often as the test wants. */
class Workshop {
  built = 0;
  disposed = 0;
  failures = 0;
  readonly changes = new Emitter<void>();

  readonly build = async (): Promise<SwarmCore> => {
    if (this.failures > 0) {
      this.failures--;
      throw new Error('no disk');
    }
    this.built++;
    const core = { controller: { onDidChange: this.changes.event }, dispose: async () => void this.disposed++ };
    return core as unknown as SwarmCore;
  };
}

describe('the host of the core', () => {
  test('builds it once, at the first call', async () => {
    const workshop = new Workshop();
    const host = new SwarmHost(workshop.build);
    expect(host.ready).toBeUndefined();
    const [one, two] = await Promise.all([host.core(), host.core()]);
    expect(one).toBe(two);
    expect(host.ready).toBe(one);
    expect(workshop.built).toBe(1);
  });

  test('a failure is told, and tried again at the next call', async () => {
    const workshop = new Workshop();
    workshop.failures = 1;
    const host = new SwarmHost(workshop.build);
    let told = 0;
    host.onDidChange(() => told++);
    await expect(host.core()).rejects.toThrow('no disk');
    expect(host.problem).toBeInstanceOf(Error);
    expect(told).toBe(1);
    await host.core();
    expect(host.problem).toBeUndefined();
  });

  test('tells what the core tells', async () => {
    const workshop = new Workshop();
    const host = new SwarmHost(workshop.build);
    await host.core();
    let told = 0;
    host.onDidChange(() => told++);
    workshop.changes.fire();
    expect(told).toBe(1);
  });

  test('a reload waits for what runs, and lets the state be moved while nothing is there', async () => {
    const workshop = new Workshop();
    const host = new SwarmHost(workshop.build);
    const first = await host.core();
    const steps: string[] = [];
    const gate = Promise.withResolvers<void>();
    const work = host.use(async core => {
      await gate.promise;
      steps.push(core === first ? 'work on the first' : 'work on another');
    });
    await Promise.resolve();
    const reload = host.reload(
      async () => void steps.push(`moved, ${workshop.disposed} disposed, ready: ${host.ready}`),
    );
    gate.resolve();
    await Promise.all([work, reload]);
    expect(steps).toEqual(['work on the first', 'moved, 1 disposed, ready: undefined']);
    expect(workshop.built).toBe(2);
    expect(host.ready).not.toBe(first);
  });

  test('a reload of what was never built builds nothing', async () => {
    const workshop = new Workshop();
    await new SwarmHost(workshop.build).reload();
    expect(workshop.built).toBe(0);
  });

  test('nothing is built after the end', async () => {
    const workshop = new Workshop();
    const host = new SwarmHost(workshop.build);
    await host.core();
    await host.dispose();
    expect(workshop.disposed).toBe(1);
    await expect(host.core()).rejects.toThrow();
    expect(workshop.built).toBe(1);
  });
});
