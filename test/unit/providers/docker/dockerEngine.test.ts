import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DockerEngine } from '../../../../src/providers/docker/dockerEngine.ts';

let directory: string;
let server: Server;
let engine: DockerEngine;
const answers: ServerResponse[] = [];

beforeEach(async () => {
  answers.length = 0;
  directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-engine-'));
  const socket = path.join(directory, 'engine.sock');
  server = createServer((_, answer) => answers.push(answer));
  await new Promise<void>(resolve => server.listen(socket, resolve));
  engine = new DockerEngine({ id: 'engine', type: 'docker', endpoint: `unix://${socket}` });
});

afterEach(async () => {
  await engine.dispose();
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

test('a stream that comes after the call was given up is closed', async () => {
  const stop = new AbortController();
  const asked = engine.call('Listening to events', { signal: stop.signal, report: () => {} }, docker =>
    docker.getEvents({}),
  );
  asked.catch(() => {});
  const answer = await vi.waitUntil(() => answers[0]);
  const closed = vi.fn();
  answer.on('close', closed);
  stop.abort();
  await expect(asked).rejects.toThrow('aborted');
  answer.flushHeaders();
  await vi.waitUntil(() => closed.mock.calls.length > 0, { timeout: 5_000 });
});
