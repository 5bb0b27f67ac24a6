import { execFileSync, spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Dockerode from 'dockerode';
import { alive } from './alive.ts';
import { makeCertificates } from './certificates.ts';

/** Everything of all engines of the tests; on memory, where an engine makes containers two to four times as fast. */
const roots = '/dev/shm/remote-swarm-engines';
/** The data of an engine whose folder this is, when they lie on disk. */
const onDiskOf = (root: string) => path.join('/var/tmp/remote-swarm-engines', path.basename(root));

export interface EngineOptions {
  /** Part of the names of what the engine uses on this machine: 1 to 6 letters and digits. */
  readonly name: string;
  /** Listens on TCP too, to those only who have a certificate. */
  readonly tls?: boolean;
  /** Lives in a network namespace of its own, reached over a pair of virtual interfaces, with a firewall of its own. */
  readonly netns?: boolean;
  /** Its data lie on a disk of this size only. */
  readonly diskMb?: number;
  /** Its data lie on this machine's disk, as outside of tests. */
  readonly onDisk?: boolean;
}

/** A real Docker engine of a test. */
export interface Engine {
  /** As `DOCKER_HOST` takes it. */
  readonly host: string;
  readonly socket: string;
  readonly docker: Dockerode;
  /** Its folder on this machine; data lie in `data`. */
  readonly root: string;
  /** Address of its network namespace, or loopback. */
  readonly address: string;
  /** What starts a program in its network namespace. */
  readonly enter: readonly string[];
  /** `tcp://` address and PEM files of a client, with `tls`. */
  readonly tcp?: { readonly endpoint: string; readonly tls: { ca: string; cert: string; key: string } };
  readonly log: string;
  /** As a crash does; workloads go on running. */
  kill(): Promise<void>;
  /** As its service manager does; workloads end with it. */
  terminate(): Promise<void>;
  /** Starts it again after {@link kill} or {@link terminate}; workloads that went on are ended. */
  restart(): Promise<void>;
  /** Makes it hang, and go on. */
  pause(): void;
  resume(): void;
  /** Ends it with all that it runs, and removes every trace. */
  stop(): Promise<void>;
}

/** Why no engine can be started here; undefined when one can. */
export function engineProblem(): string | undefined {
  if (process.platform !== 'linux') return 'dockerd runs on Linux only';
  if (process.getuid?.() !== 0) return 'only root can start an engine of its own';
  return has('dockerd') && has('ip')
    ? undefined
    : 'dockerd is not installed (Debian: apt-get install docker.io iproute2)';
}

const has = (command: string) =>
  (process.env.PATH ?? '').split(':').some(folder => existsSync(path.join(folder, command)));
const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe' });
const quietly = (work: () => unknown) => {
  try {
    work();
  } catch {
    // It is so already.
  }
};
const readPid = (file: string) => Number(existsSync(file) ? readFileSync(file, 'utf8') : 0);

/** Starts an engine that ends with {@link Engine.stop}; what a killed test run left is ended first. */
export async function startEngine({
  name,
  tls = false,
  netns = false,
  diskMb,
  onDisk = false,
}: EngineOptions): Promise<Engine> {
  await removeAbandoned();
  const key = `${name}${process.pid.toString(36)}`;
  const root = path.join(roots, `${key}.${process.pid}`);
  const subnet = freeSubnet();
  const bridge = `rs-${key}`.slice(0, 15);
  mkdirSync(root, { recursive: true });
  writeFileSync(path.join(root, 'daemon.json'), '{}');
  if (diskMb !== undefined) {
    mkdirSync(path.join(root, 'data'));
    run('mount', '-t', 'tmpfs', '-o', `size=${diskMb}m`, 'tmpfs', path.join(root, 'data'));
  }
  if (onDisk) {
    for (const folder of [onDiskOf(root), path.join(root, 'data')]) mkdirSync(folder, { recursive: true });
    run('mount', '--bind', onDiskOf(root), path.join(root, 'data'));
  }
  const enter = netns ? makeNamespace(bridge, subnet) : [];
  const address = netns ? `172.30.${subnet}.2` : '127.0.0.1';
  const inside = (...args: string[]) => run([...enter, ...args][0] ?? '', ...[...enter, ...args].slice(1));
  // Bridges of the namespaces need no firewall-free address; in the common one each engine has its own range.
  inside('ip', 'link', 'add', bridge, 'type', 'bridge');
  inside('ip', 'addr', 'add', `172.31.${subnet}.1/24`, 'dev', bridge);
  inside('ip', 'link', 'set', bridge, 'up');

  const socket = path.join(root, 'sock');
  const pidFile = path.join(root, 'pid');
  const logFile = path.join(root, 'log');
  const port = 23_760;
  const pem = tls ? makeCertificates(path.join(root, 'tls'), address) : undefined;
  const flags = [
    ...['--config-file', path.join(root, 'daemon.json'), '--label', `host=${key}`],
    ...['--data-root', path.join(root, 'data'), '--exec-root', path.join(root, 'exec'), '--pidfile', pidFile],
    ...['-H', `unix://${socket}`, '--bridge', bridge, '--cgroup-parent', `/remote-swarm-${key}`],
    // Two engines with a firewall in one namespace would flush each other's rules.
    ...(netns ? [] : ['--iptables=false', '--ip6tables=false', '--ip-masq=false']),
    ...(pem
      ? [
          '-H',
          `tcp://${address}:${port}`,
          '--tlsverify',
          '--tlscacert',
          pem.ca,
          '--tlscert',
          pem.serverCert,
          '--tlskey',
          pem.serverKey,
        ]
      : []),
  ];
  const docker = new Dockerode({ socketPath: socket });

  const start = async () => {
    rmSync(pidFile, { force: true });
    rmSync(path.join(root, 'exec/containerd/containerd.pid'), { force: true });
    const output = openSync(logFile, 'a');
    const [file = '', ...args] = [...enter, 'dockerd', ...flags];
    const child = spawn(file, args, { detached: true, stdio: ['ignore', output, output] });
    let ended = false;
    child.on('exit', () => {
      ended = true;
    });
    child.unref();
    const deadline = performance.now() + 60_000;
    while (!(await answers(docker))) {
      if (ended || performance.now() > deadline) {
        throw new Error(`dockerd did not start:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
      }
      await sleep(50);
    }
  };
  const kill = async () => {
    for (const file of [pidFile, path.join(root, 'exec/containerd/containerd.pid')]) await killProcess(readPid(file));
  };
  const signal = (which: NodeJS.Signals) => {
    const pid = readPid(pidFile);
    // An engine that ended politely has no pid file, and pid 0 would be this process's whole group.
    if (pid > 0) process.kill(pid, which);
  };
  const terminate = async () => {
    const pid = readPid(pidFile);
    quietly(() => signal('SIGTERM'));
    const deadline = performance.now() + 15_000;
    while (alive(pid) && performance.now() < deadline) await sleep(25);
    await kill();
  };
  await start();
  return {
    host: `unix://${socket}`,
    socket,
    docker,
    root,
    address,
    enter,
    ...(pem && { tcp: { endpoint: `tcp://${address}:${port}`, tls: { ca: pem.ca, cert: pem.cert, key: pem.key } } }),
    get log() {
      return readFileSync(logFile, 'utf8');
    },
    kill,
    terminate,
    restart: start,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    stop: async () => {
      quietly(() => signal('SIGCONT'));
      await removeContainers(docker);
      await terminate();
      await removeTraces(root, bridge);
    },
  };
}

async function answers(docker: Dockerode): Promise<boolean> {
  try {
    await docker.listContainers({ limit: 1, abortSignal: AbortSignal.timeout(2_000) });
    return true;
  } catch {
    return false;
  }
}

/** The polite end of dockerd would wait for each container's own. */
async function removeContainers(docker: Dockerode): Promise<void> {
  try {
    const abortSignal = AbortSignal.timeout(20_000);
    const rows = await docker.listContainers({ all: true, abortSignal });
    await Promise.allSettled(
      rows.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true, abortSignal })),
    );
  } catch {
    // It hangs or is dead; the processes are ended below.
  }
}

async function killProcess(pid: number): Promise<void> {
  if (pid <= 0) return;
  quietly(() => process.kill(pid, 'SIGKILL'));
  while (alive(pid)) await sleep(10);
}

/** Ends what the engine started, found by its folder in their arguments, and removes mounts, interfaces and files. */
async function removeTraces(root: string, bridge: string): Promise<void> {
  for (const file of ['pid', 'exec/containerd/containerd.pid']) await killProcess(readPid(path.join(root, file)));
  for (const pid of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
    const line = existsSync(`/proc/${pid}/cmdline`) ? readText(`/proc/${pid}/cmdline`) : '';
    if (/containerd|docker-proxy|dockerd/.test(line) && line.includes(root)) await killProcess(Number(pid));
  }
  for (const link of networkLinks(root)) quietly(() => run('ip', 'link', 'del', link));
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' ')[1] ?? '');
  const ours = mounts.filter(mount => mount === root || mount.startsWith(`${root}/`));
  for (const mount of ours.reverse()) quietly(() => run('umount', '-l', mount));
  for (const link of [bridge, `${bridge.slice(0, 13)}h`]) quietly(() => run('ip', 'link', 'del', link));
  quietly(() => run('ip', 'netns', 'del', bridge));
  for (const folder of [onDiskOf(root), root]) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Bridges in this namespace that the engine made for its networks: those that its own database names. */
function networkLinks(root: string): string[] {
  const database = readText(path.join(root, 'data/network/files/local-kv.db'));
  return globSync('/sys/class/net/br-*')
    .map(file => path.basename(file))
    .filter(link => database.includes(link));
}

const readText = (file: string) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** Removes the engines of test runs that are no more. */
async function removeAbandoned(): Promise<void> {
  if (!existsSync(roots)) return;
  for (const folder of readdirSync(roots)) {
    const [key = '', owner] = folder.split('.');
    if (alive(Number(owner))) continue;
    // Another test run may be at it too.
    await removeTraces(path.join(roots, folder), `rs-${key}`.slice(0, 15)).catch(() => {});
  }
}

/** Nothing of a namespace that is being removed, or of which a killed test run has left no more than the name. */
function addressesIn(namespace: string): string {
  try {
    return run('ip', '-n', namespace, '-4', '-o', 'addr');
  } catch {
    return '';
  }
}

/** A number whose ranges 172.30.n and 172.31.n nobody on this machine uses. */
function freeSubnet(): number {
  const used =
    run('ip', '-4', '-o', 'addr') +
    globSync('/run/netns/*')
      .map(file => addressesIn(path.basename(file)))
      .join('');
  for (let number = 10; number < 250; number++) {
    if (!used.includes(`172.30.${number}.`) && !used.includes(`172.31.${number}.`)) return number;
  }
  throw new Error('no free subnet');
}

/** A network namespace that this one reaches at 172.30.n.2. */
function makeNamespace(name: string, subnet: number): string[] {
  run('ip', 'netns', 'add', name);
  run('ip', 'link', 'add', `${name.slice(0, 13)}h`, 'type', 'veth', 'peer', 'name', 'outside', 'netns', name);
  run('ip', 'addr', 'add', `172.30.${subnet}.1/24`, 'dev', `${name.slice(0, 13)}h`);
  run('ip', 'link', 'set', `${name.slice(0, 13)}h`, 'up');
  run('ip', '-n', name, 'addr', 'add', `172.30.${subnet}.2/24`, 'dev', 'outside');
  for (const link of ['lo', 'outside']) run('ip', '-n', name, 'link', 'set', link, 'up');
  // Not `ip netns exec`: that mounts another /sys, in which dockerd finds no cgroups.
  return ['nsenter', `--net=/run/netns/${name}`];
}
