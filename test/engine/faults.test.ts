import { rmSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isAbort } from '../../src/model/errors.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import type { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { dockerProvider, failureOf } from './support/dockerProviders.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

describe('no usable engine', () => {
  test('at an address where nobody listens, or somebody else does, is told with the way out', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'rsw-test-'));
    const absent = dockerProvider({ endpoint: `unix://${folder}/absent.sock` });
    const error = await failureOf(absent.initialize());
    expect(error).toMatchObject({ code: 'provider-unreachable', family: 'network', retryable: true });
    expect(error.message).toContain(`${folder}/absent.sock`);
    expect(error.hint).toContain('systemctl start docker');

    const stranger = createServer(socket => socket.end('220 mail.example ready\r\n'));
    await new Promise<void>(resolve => stranger.listen(path.join(folder, 'other.sock'), resolve));
    const other = dockerProvider({ endpoint: `unix://${folder}/other.sock` });
    expect((await failureOf(other.initialize())).message).toContain('is no Docker engine');
    stranger.close();
    rmSync(folder, { recursive: true });
  });
});

describeWithOwnEngine('an engine that fails', () => {
  const swarmId = testSwarmId();
  let engine: Engine;
  let world: EngineWorld;
  let provider: DockerProvider;
  const created = async () => (await provider.createInstance(newSpec(swarmId))).id;

  beforeAll(async () => {
    engine = await startEngine({ name: 'fault', diskMb: 600 });
    world = new EngineWorld(engine.docker);
    const image = await ensureTestImage(engine.docker, 'stub');
    provider = dockerProvider({ endpoint: engine.host, image });
    await provider.initialize();
  });

  afterAll(async () => {
    await provider?.dispose();
    await engine?.stop();
  });

  test('by refusing this user: it says how to be let in', async () => {
    // Another path of the same socket: no open connection of this process leads there.
    const socket = path.join(engine.root, 'other.sock');
    symlinkSync(engine.socket, socket);
    const refused = dockerProvider({ endpoint: `unix://${socket}` });
    process.seteuid?.(65_534);
    try {
      const error = await failureOf(refused.initialize());
      expect(error).toMatchObject({ family: 'permission', code: 'engine-permission' });
      expect(error.hint).toContain('usermod -aG docker');
    } finally {
      process.seteuid?.(0);
    }
  });

  test('with a full disk: the create says so, leaves nothing, and works once there is space', async () => {
    const inventory = await world.inventory();
    const filler = path.join(engine.root, 'data', 'filler');
    const { bavail, bsize } = statfsSync(path.join(engine.root, 'data'));
    expect(() => writeFileSync(filler, Buffer.alloc(bavail * bsize + bsize))).toThrow(/ENOSPC/);
    const spec = newSpec(swarmId);
    expect(await failureOf(provider.createInstance(spec))).toMatchObject({ code: 'disk-full', family: 'provider' });
    expect(await world.inventory()).toEqual(inventory);
    rmSync(filler);
    expect(await provider.createInstance(spec)).toMatchObject({ status: 'running' });
    await provider.deleteInstance(spec.identity.id);
    expect(await world.inventory()).toEqual(inventory);
  });

  test('by hanging: every call ends by itself as unreachable, a cancel at once, and what was begun is adopted later', async () => {
    const id = await created();
    const begun = newSpec(swarmId);
    const cancel = new AbortController();
    const create = provider.createInstance(begun, {
      signal: cancel.signal,
      report: message => {
        if (!message.startsWith('Starting')) return;
        engine.pause();
        cancel.abort();
      },
    });
    const outcome = create.catch((error: unknown) => error);
    try {
      await new Promise(resolve => cancel.signal.addEventListener('abort', resolve));
      const reads = [
        provider.initialize(),
        provider.abilities.observe(),
        provider.getInstance(id),
        provider.stopInstance(id),
        provider.executeCommand(id, 'true'),
        provider.abilities.readToken(id),
      ];
      const impatient = new AbortController();
      const cancelled = provider.getInstance(id, { ...quietContext, signal: impatient.signal });
      const cancelledAt = performance.now();
      impatient.abort();
      expect(isAbort(await cancelled.catch((error: unknown) => error))).toBe(true);
      expect(performance.now() - cancelledAt).toBeLessThan(1_000);
      for (const error of await Promise.all(reads.map(failureOf))) {
        expect(error).toMatchObject({ code: 'provider-unreachable', family: 'network', retryable: true });
        // An engine may have answered a first question before it was stopped; a change has more time.
        expect(error.message).toMatch(/no answer within (15|60) s/);
      }
    } finally {
      engine.resume();
    }
    expect(isAbort(await outcome)).toBe(true);
    expect(await provider.getInstance(id)).toMatchObject({ status: 'running' });
    expect(await provider.createInstance(begun)).toMatchObject({ id: begun.identity.id, status: 'running' });
    expect(await world.containers(begun.identity.id)).toHaveLength(1);
    for (const each of [id, begun.identity.id]) await provider.deleteInstance(each);
  });

  test('by dying: no end of a stream is taken for an end of the work, the watch comes back, and nothing is lost', async () => {
    const id = await created();
    await provider.executeCommand(id, 'echo kept > file');
    const woken: (string | undefined)[] = [];
    const watch = provider.abilities.watch(changed => woken.push(changed));
    await provider.stopInstance(id);
    await vi.waitFor(() => expect(woken).toContain(id), 10_000);
    await provider.startInstance(id);
    const running = failureOf(provider.executeCommand(id, 'sleep 60'));
    const following = failureOf(provider.abilities.followLogs(id, () => {}, quietContext));
    const terminal = await provider.abilities.terminal(id);
    const stream = terminal.kind === 'stream' ? await terminal.open({ columns: 80, rows: 24 }) : undefined;
    const exited = new Promise(resolve => stream?.onExit(resolve));
    stream?.onData(() => {});

    woken.length = 0;
    await engine.kill();
    expect((await running).code).toBe('provider-unreachable');
    expect((await following).code).toBe('provider-unreachable');
    expect(await exited).toBeUndefined();
    expect((await failureOf(provider.abilities.observe())).code).toBe('provider-unreachable');
    await vi.waitFor(() => expect(woken).toContain(undefined), 10_000);

    woken.length = 0;
    await engine.restart();
    await vi.waitFor(() => expect(woken).toContain(undefined), 20_000);
    expect(await provider.getInstance(id)).toMatchObject({ id });
    expect(await provider.startInstance(id)).toMatchObject({ status: 'running' });
    await vi.waitFor(() => expect(woken).toContain(id), 10_000);
    expect((await provider.executeCommand(id, 'cat file')).stdout).toBe('kept\n');
    watch.dispose();
    await provider.deleteInstance(id);
    expect(await world.exists(id)).toBe(false);
  });
});
