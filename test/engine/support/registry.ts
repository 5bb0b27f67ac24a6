import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const tools = path.resolve(import.meta.dirname, '../../../.runtime/test-tools');

/** A real image registry on loopback, which engines trust without TLS. */
export interface Registry {
  /** `host:port`, to be put before an image's name. */
  readonly address: string;
  /** The same registry behind a slow line. */
  readonly slowAddress: string;
  /** How many connections the slow line carries now. */
  slowConnections(): number;
  stop(): Promise<void>;
}

/** Debian's registry: the installed one, else its package unpacked without installing it. */
function registryBinary(): string {
  const installed = '/usr/bin/docker-registry';
  if (existsSync(installed)) return installed;
  const binary = path.join(tools, 'usr/bin/docker-registry');
  if (existsSync(binary)) return binary;
  mkdirSync(tools, { recursive: true });
  const partial = mkdtempSync(path.join(tools, 'partial-'));
  execFileSync('apt-get', ['download', 'docker-registry'], { cwd: partial, stdio: 'pipe' });
  const [file = ''] = readdirSync(partial).filter(name => name.endsWith('.deb'));
  execFileSync('dpkg-deb', ['-x', file, 'root'], { cwd: partial });
  renameSync(path.join(partial, 'root/usr'), path.join(tools, 'usr'));
  rmSync(partial, { recursive: true });
  return binary;
}

/** Starts a registry; `bytesPerSecond` is what the slow line lets through. With `users`, a htpasswd file, it is private. */
export async function startRegistry(bytesPerSecond: number, users?: string): Promise<Registry> {
  const root = mkdtempSync(path.join(tmpdir(), 'remote-swarm-registry-'));
  const port = await freePort();
  if (users !== undefined) writeFileSync(path.join(root, 'users'), users);
  const auth = users === undefined ? '' : `auth: {htpasswd: {realm: test, path: ${root}/users}}\n`;
  writeFileSync(
    path.join(root, 'config.yml'),
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${root}/data}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:${port}"}\n${auth}`,
  );
  const child = spawn(registryBinary(), ['serve', path.join(root, 'config.yml')], { stdio: 'ignore' });
  const ended = new Promise(resolve => child.on('close', resolve));
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries > 200) throw new Error('docker-registry did not start');
    await sleep(50);
  }
  const sockets = new Set<Socket>();
  const slow = createServer(socket => {
    sockets.add(socket);
    const upstream = connect(port, '127.0.0.1');
    socket.on('close', () => {
      sockets.delete(socket);
      upstream.destroy();
    });
    for (const end of [socket, upstream]) end.on('error', () => socket.destroy());
    upstream.on('close', () => socket.end());
    socket.pipe(upstream);
    void trickle(upstream, socket, bytesPerSecond);
  });
  await new Promise<void>(resolve => slow.listen(0, '127.0.0.1', resolve));
  const address = slow.address();
  return {
    address: `127.0.0.1:${port}`,
    slowAddress: `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    slowConnections: () => sockets.size,
    stop: async () => {
      slow.close();
      for (const socket of sockets) socket.destroy();
      child.kill();
      await ended;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function trickle(from: Socket, to: Socket, bytesPerSecond: number): Promise<void> {
  try {
    for await (const chunk of from) {
      for (let at = 0; at < chunk.length; at += 16_384) {
        const piece = chunk.subarray(at, at + 16_384);
        if (!to.write(piece)) await Promise.race(['drain', 'close'].map(event => new Promise(r => to.once(event, r))));
        await sleep((piece.length / bytesPerSecond) * 1_000);
      }
    }
  } catch {
    to.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

const answers = (port: number) =>
  fetch(`http://127.0.0.1:${port}/v2/`).then(
    ({ ok, status }) => ok || status === 401,
    () => false,
  );
