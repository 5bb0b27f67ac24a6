import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { Gate } from '../../../../src/providers/fly/gate.ts';
import { FrameReader, GateProgram, runAtGate } from '../../../../src/providers/fly/gateProgram.ts';

const media = path.resolve(import.meta.dirname, '../../../../media/instance');
const token = 'a-token-of-the-test';
const id = 'abcdefabcdef';
const waitLong = { timeout: 15_000 };
let folder: string;
let port: number;
let gate: ChildProcess | undefined;
const sockets: Socket[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-gate-'));
  for (const name of ['boot', 'home']) mkdirSync(path.join(folder, name));
  copyFileSync(path.join(media, 'gate.mjs'), path.join(folder, 'boot', 'gate.mjs'));
  writeFileSync(path.join(folder, 'boot', 'token'), token);
  writeFileSync(path.join(folder, 'boot', 'environment.json'), '{}');
  writeFileSync(path.join(folder, 'boot', 'instance.json'), '{}');
  port = await freePort();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  if (gate && gate.exitCode === null && gate.signalCode === null) {
    // It ends its editor server, too, which SIGKILL would not let it do.
    gate.kill();
    await once(gate, 'exit');
  }
  gate = undefined;
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}

/** Starts the gate and waits until it lets somebody in. */
async function begin(...serve: string[]): Promise<void> {
  const env = { PATH: process.env.PATH ?? '', HOME: path.join(folder, 'home') };
  const argv = [path.join(folder, 'boot', 'gate.mjs'), String(port), '1', ...serve];
  gate = spawn(process.execPath, argv, { env, stdio: 'ignore' });
  await vi.waitFor(async () => (await enter()).destroy(), waitLong);
}

const enter = (way = 'run', given = token) =>
  new Gate('fly', `http://127.0.0.1:${port}`).open(id, way, given, quietContext);
const run = async (...argv: string[]) => runAtGate('fly', await enter(), argv, folder, quietContext);

/** What is sent, as it is. */
async function raw(text: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

function frame(kind: string, content: string): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind, 'latin1');
  head.writeUInt32BE(Buffer.byteLength(content), 1);
  return Buffer.concat([head, Buffer.from(content)]);
}

test.each([
  ['a word with NUL in it', ['sh', '-c', 'echo "\0"']],
  ['a word that is too long for the system', ['echo', 'x'.repeat(200_000)]],
  ['nothing', ['']],
])("%s can't be run, and the gate and its editor server go on", async (_, argv) => {
  await begin('-e', 'setInterval(() => {}, 1000)');
  expect(await run(...argv)).toMatchObject({ exitCode: 127, stderr: expect.stringMatching(/\S/) });
  expect(await run('echo', 'on')).toMatchObject({ exitCode: 0, stdout: 'on\n' });
});

test('what is no frame, and a port that is none, only end their own connection', async () => {
  await begin();
  for (const said of [frame('s', 'no json'), frame('s', '{}'), Buffer.from([105, 255, 255, 255, 255])]) {
    const stream = await enter();
    stream.write(said);
    stream.resume();
    await once(stream, 'close', { signal: AbortSignal.timeout(10_000) });
  }
  await expect(enter('port/99999')).rejects.toMatchObject({ code: 'provider-unreachable' });
  expect(await run('echo', 'on')).toMatchObject({ exitCode: 0 });
});

test.skipIf(!existsSync('/proc/self/fd'))('who is refused holds nothing, also one that never hangs up', async () => {
  await begin();
  const count = () => readdirSync(`/proc/${gate?.pid}/fd`).length;
  const before = count();
  const request = 'GET /remote-swarm/run HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
  for (let round = 0; round < 20; round++) {
    const socket = await raw(request);
    await once(socket, 'data');
  }
  await vi.waitFor(() => expect(count()).toBeLessThanOrEqual(before), { timeout: 5_000 });
});

test.skipIf(!existsSync('/proc/self/environ'))(
  'a program that does not read what it is given ends with its connection',
  async () => {
    await begin();
    const stream = await enter();
    const program = new GateProgram(stream, ['sh', '-c', 'echo $$; exec sleep 600'], folder);
    const reader = new FrameReader(stream);
    let pid = '';
    stream.on('data', (chunk: Buffer) => {
      for (const { content } of reader.take(chunk)) pid += content.toString().trim();
    });
    await vi.waitFor(() => expect(existsSync(`/proc/${pid || 'none'}`)).toBe(true));
    for (let sent = 0; sent < 64; sent++) program.input.write(Buffer.alloc(1024 * 1024));
    await vi.waitFor(() => expect(stream.writableLength).toBeGreaterThan(0));
    stream.destroy();
    await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), waitLong);
  },
);

test.each(['a file', 'a link that leads nowhere'])(
  'with %s in place of the workspace the home can still be reached',
  async kind => {
    const workspace = path.join(folder, 'home', 'workspace');
    if (kind === 'a file') writeFileSync(workspace, '');
    else symlinkSync(path.join(folder, 'nowhere', 'at', 'all'), workspace);
    await begin();
    expect(await run('ls', '-a', path.join(folder, 'home'))).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('workspace'),
    });
  },
);

test.each([
  ['a frame without an end', frame('o', '').fill(255, 1)],
  ['an exit code that is none', frame('x', '1')],
])('an instance that sends %s is no longer listened to', async (_, said) => {
  const server = createServer(socket => {
    socket.on('error', () => {});
    const upgraded = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: remote-swarm\r\n\r\n';
    socket.once('data', () => socket.write(Buffer.concat([Buffer.from(upgraded), said])));
    sockets.push(socket);
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  const failure = run('true').catch((error: unknown) => error);
  expect(await failure).toMatchObject({ code: 'provider-unreachable' });
  server.close();
});
