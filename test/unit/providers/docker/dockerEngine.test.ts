import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { lockLost } from '../../../../src/model/errors.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { DockerEngine } from '../../../../src/providers/docker/dockerEngine.ts';
import { engineStatus } from '../../../../src/providers/docker/engineErrors.ts';

let directory: string;
let server: Server;
let engine: DockerEngine;
const answers: ServerResponse[] = [];
const asked: string[] = [];
let isSilent = false;

beforeEach(async () => {
  [answers.length, asked.length] = [0, 0];
  isSilent = false;
  directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-engine-'));
  const socket = path.join(directory, 'engine.sock');
  server = createServer((request, answer) => {
    if (isSilent) return;
    if (request.url === '/version') return void answer.end('{"ApiVersion":"1.41"}');
    asked.push(request.method ?? '');
    answers.push(answer);
  });
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
  const answer = await vi.waitUntil(() => answers[0], 10_000);
  const closed = vi.fn();
  answer.on('close', closed);
  stop.abort();
  await expect(asked).rejects.toThrow('aborted');
  answer.flushHeaders();
  await vi.waitUntil(() => closed.mock.calls.length > 0, { timeout: 5_000 });
});

test('what may change something is sent only while the lock is held at that moment', async () => {
  let isLost = false;
  const assertHeld = () => {
    if (isLost) throw lockLost('abcdefabcdef');
  };
  const answered = async <T>(call: Promise<T>) => {
    const before = answers.length;
    (await vi.waitUntil(() => answers[before])).end('[]');
    return call;
  };
  const ctx = { ...quietContext, lock: { assertHeld } };
  const change = () => engine.call('Starting it', ctx, docker => docker.getContainer('c1').start());
  await answered(change());
  // It is proven after the way to the engine is there, however long that took.
  isLost = true;
  await expect(change()).rejects.toMatchObject({ code: 'lock-lost' });
  await answered(engine.call('Listing the containers', ctx, docker => docker.listContainers()));
  await answered(engine.call('Removing it', quietContext, docker => docker.getContainer('c1').remove()));
  expect(asked).toEqual(['POST', 'GET', 'DELETE']);
});

test('of an answer without an end only so much is taken', async () => {
  const asked = engine.call('Listing the containers', quietContext, docker => docker.listContainers());
  const answer = await vi.waitUntil(() => answers[0]);
  let closed = false;
  answer.on('close', () => {
    closed = true;
  });
  const chunk = Buffer.alloc(1024 * 1024, ' ');
  let sent = 0;
  const send = () => {
    if (closed) return;
    sent += 1;
    if (answer.write(chunk)) setImmediate(send);
    else answer.once('drain', send);
  };
  send();
  await expect(asked).rejects.toMatchObject({ code: 'engine-answer-too-large' });
  await vi.waitUntil(() => closed, { timeout: 5_000 });
  expect(sent).toBeLessThan(100);
});

test('what an engine refuses is told in its own words, with its status', async () => {
  const asked = engine.call('Starting it', quietContext, docker => docker.getContainer('c1').start());
  (await vi.waitUntil(() => answers[0])).writeHead(409).end(JSON.stringify({ message: 'it is taken' }));
  const error = await asked.catch((thrown: unknown) => thrown);
  expect([engineStatus(error), String(error)]).toEqual([409, expect.stringContaining('it is taken')]);
  const log = engine.call('Reading the logs', quietContext, docker =>
    docker.getContainer('c1').logs({ follow: false, stdout: true }),
  );
  (await vi.waitUntil(() => answers[1])).end(Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 255, 10]));
  expect(await log).toEqual(Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 255, 10]));
});

test('an engine that takes connections and says nothing is told as silent, whoever waited first', async () => {
  isSilent = true;
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  const limit = vi.spyOn(AbortSignal, 'timeout');
  onTestFinished(() => limit.mockRestore());
  limit.mockImplementation(wanted => timeout(wanted === 15_000 ? 50 : wanted));
  const list = () => engine.call('Listing the containers', quietContext, docker => docker.listContainers(), 60_000);
  await expect(list()).rejects.toMatchObject({
    code: 'provider-unreachable',
    message: 'The provider "engine" does not answer: Asking for the version got no answer within 15 s.',
  });
  // It comes late, and is used from then on.
  limit.mockRestore();
  isSilent = false;
  const late = list();
  (await vi.waitUntil(() => answers[0], 10_000)).end('[]');
  expect(await late).toEqual([]);
});

test('an engine that is closed while it is silent was not refused', async () => {
  isSilent = true;
  const listed = engine.call('Listing the containers', quietContext, docker => docker.listContainers());
  listed.catch(() => {});
  await vi.waitUntil(() => new Promise<boolean>(resolve => server.getConnections((_, count) => resolve(count > 0))));
  await engine.dispose();
  await expect(listed).rejects.toMatchObject({
    code: 'provider-unreachable',
    message: expect.stringContaining('it was closed'),
  });
});
