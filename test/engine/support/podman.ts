import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Dockerode from 'dockerode';
import { alive } from './alive.ts';
import type { ClosableEngine } from './testEngine.ts';

/** Everything of the Podman engines of the tests, one folder each, which ends with the pid of who made it. */
const roots = '/dev/shm/remote-swarm-podman';

/** Why Podman can't be started here; undefined when it can. */
export function podmanProblem(): string | undefined {
  if (process.platform !== 'linux') return 'podman runs on Linux only';
  if (process.getuid?.() !== 0) return 'only root can start podman with networks and limits of its own';
  return has('podman') ? undefined : 'podman is not installed (Debian: apt-get install podman netavark catatonit)';
}

const has = (command: string) => ['/usr/bin', '/usr/sbin'].some(folder => existsSync(path.join(folder, command)));

/** A real Podman, with nothing of the machine's own. */
export async function startPodman(): Promise<ClosableEngine> {
  for (const left of existsSync(roots) ? readdirSync(roots) : []) {
    if (!alive(Number(left))) remove(path.join(roots, left));
  }
  const root = path.join(roots, String(process.pid));
  const socket = path.join(root, 'sock');
  mkdirSync(root, { recursive: true });
  writeFileSync(
    path.join(root, 'containers.conf'),
    [
      // Its own wish is for more than a machine may give.
      ...['[containers]', 'default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]'],
      ...['[engine]', 'cgroup_manager = "cgroupfs"', 'events_logger = "file"', 'lock_type = "file"'],
      // Crun runs on no machine whose control groups are of both kinds.
      ...(has('runc') ? ['runtime = "runc"'] : []),
    ].join('\n'),
  );
  const log = path.join(root, 'log');
  const output = openSync(log, 'a');
  const child = spawn('podman', [...flagsOf(root), 'system', 'service', '--time=0', `unix://${socket}`], {
    ...{ env: environmentOf(root), stdio: ['ignore', output, output] },
  });
  const ended = new Promise(resolve => child.on('close', resolve));
  const docker = new Dockerode({ socketPath: socket });
  const deadline = performance.now() + 30_000;
  while (!(await docker.ping().catch(() => undefined))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      throw new Error(`podman did not start:\n${readFileSync(log, 'utf8').slice(-2_000)}`);
    }
    await sleep(50);
  }
  return {
    ...{ host: `unix://${socket}`, docker },
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
      remove(root);
    },
  };
}

const flagsOf = (root: string) => [
  ...['--root', path.join(root, 'data'), '--runroot', path.join(root, 'run'), '--tmpdir', path.join(root, 'tmp')],
  ...['--network-config-dir', path.join(root, 'networks')],
];

const environmentOf = (root: string) => ({ ...process.env, CONTAINERS_CONF: path.join(root, 'containers.conf') });

/** Ends what it runs, and removes mounts and files. */
function remove(root: string): void {
  execFileSync('podman', [...flagsOf(root), 'rm', '--all', '--force', '--time', '0'], {
    ...{ env: environmentOf(root), stdio: 'ignore' },
  });
  // What watched over a command stays for five minutes after it.
  for (const pid of readdirSync('/proc').filter(entry => /^\d+$/.test(entry) && entry !== String(process.pid))) {
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${root}/`)) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter(each => each.startsWith(`${root}/`)).reverse())
    execFileSync('umount', ['-l', mount]);
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  // Another test run may have its own there.
  spawnSync('rmdir', [roots], { stdio: 'ignore' });
}
