import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Dockerode from 'dockerode';
import { alive } from './alive.ts';
import type { ClosableEngine } from './testEngine.ts';

/** Everything of the rootless engines of the tests, one folder each, which ends with the pid of who made it. */
const roots = '/dev/shm/remote-swarm-rootless';
/** Debian's, of docker.io. */
const script = '/usr/share/docker.io/contrib/dockerd-rootless.sh';
/** Whoever the engine runs as; rootlesskit takes ids twice that are given to a number. */
const user = 65_534;
const userName = 'nobody';

/** Why no rootless Docker can be started here; undefined when one can. */
export function rootlessProblem(): string | undefined {
  if (process.platform !== 'linux') return 'dockerd runs on Linux only';
  if (process.getuid?.() !== 0) return 'only root can give an ordinary user the ids that a rootless engine needs';
  return existsSync(script) && ['rootlesskit', 'slirp4netns', 'newuidmap'].every(has)
    ? undefined
    : 'rootless Docker is not installed (Debian: apt-get install docker.io rootlesskit slirp4netns uidmap)';
}

const has = (command: string) => existsSync(path.join('/usr/bin', command));

/** A Docker that an ordinary user runs; in a mount namespace in which that user has ids and may make networks. */
export async function startRootlessDocker(): Promise<ClosableEngine> {
  for (const left of existsSync(roots) ? readdirSync(roots) : []) {
    if (!alive(Number(left))) await remove(path.join(roots, left));
  }
  const root = path.join(roots, String(process.pid));
  const at = (name: string) => path.join(root, name);
  for (const folder of ['run', 'data', 'home']) {
    mkdirSync(at(folder), { recursive: true });
    chownSync(at(folder), user, user);
  }
  writeFileSync(at('ids'), `${userName}:200000:65536\n`);
  const start = [
    ...['mount --bind "$1/ids" /etc/subuid', 'mount --bind "$1/ids" /etc/subgid'],
    // As on every system that has desktops; containers and small machines keep it to root.
    ...['mknod -m 666 "$1/tun" c 10 200', 'touch /dev/net/tun', 'mount --bind "$1/tun" /dev/net/tun'],
    `exec setpriv --reuid=${user} --regid=${user} --clear-groups ${script} --data-root "$1/data"`,
  ];
  const output = openSync(at('log'), 'a');
  const child = spawn('unshare', ['--mount', 'sh', '-ec', start.join('\n'), 'sh', root], {
    stdio: ['ignore', output, output],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: at('home'), XDG_RUNTIME_DIR: at('run') },
  });
  const socket = at('run/docker.sock');
  const docker = new Dockerode({ socketPath: socket });
  const deadline = performance.now() + 60_000;
  while (!(await docker.ping().catch(() => undefined))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error(`rootless Docker did not start:\n${readFileSync(at('log'), 'utf8').slice(-2_000)}`);
    }
    await sleep(50);
  }
  return { host: `unix://${socket}`, docker, stop: () => remove(root) };
}

/** Ends what runs in it, found by its folder in their arguments, politely first: so the engine ends its containers. */
async function remove(root: string): Promise<void> {
  const pids = () =>
    readdirSync('/proc')
      .filter(entry => /^\d+$/.test(entry) && Number(entry) !== process.pid && commandOf(entry).includes(root))
      .map(Number);
  const engine = Number(textOf(path.join(root, 'run/docker.pid')));
  if (engine > 0)
    signal(
      pids().filter(pid => commandOf(String(pid)).startsWith('dockerd')),
      'SIGTERM',
    );
  for (let tries = 0; tries < 400 && pids().length > 0; tries++) {
    if (tries === 200) signal(pids(), 'SIGKILL');
    await sleep(50);
  }
  execFileSync('rm', ['-rf', root]);
  // Another test run may have its own there.
  spawnSync('rmdir', [roots], { stdio: 'ignore' });
}

function signal(pids: readonly number[], which: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, which);
    } catch {
      // It is gone already.
    }
  }
}

const commandOf = (pid: string) => textOf(`/proc/${pid}/cmdline`);
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
