import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { alive } from '../../engine/support/alive.ts';
import { type HostNetwork, loopbackNetwork, makeNetwork, removeNetwork } from './hostNetwork.ts';

const isRoot = process.getuid?.() === 0;

/** Everything of all hosts of one user's tests. */
const roots = `/var/tmp/remote-swarm-ssh-hosts-${process.getuid?.()}`;

/** Why a host has neither a network nor a disk of its own; undefined when it has. */
export const hostLimits = isRoot ? undefined : 'only root can give a host a network and a disk of its own';

/**
 * A host of a test with a real sshd. It has mounts and processes of its own: its home and its temporary folder are others
 * than this machine's, and what runs there is not seen from a second host. It has one user, who runs the tests. Where
 * that is root it has a network of its own, too; others reach its sshd on this machine's loopback.
 */
export interface SshHost {
  /** As `ssh` takes it, with the client below. */
  readonly name: string;
  /** On which its sshd listens. */
  readonly address: string;
  /** Its user's home, as it lies on this machine. */
  readonly home: string;
  /** What that home is called on the host. */
  readonly homeThere: string;
  /** A folder to be put first on the PATH: the `ssh` in it knows the host and has the right key. */
  readonly path: string;
  /** The configuration of that `ssh`. */
  readonly config: string;
  /** As {@link path}, but the host's key is not known. */
  readonly strangerPath: string;
  /** As {@link path}, but another key is known for the host. */
  readonly changedPath: string;
  /** As {@link path}, with a key that the host does not let in. */
  readonly keylessPath: string;
  /** As {@link path}, with neither a key nor an agent. */
  readonly agentlessPath: string;
  /** As {@link path}, as a user whom the host does not have. */
  readonly strangeUserPath: string;
  /** Runs a program there, without ssh, and answers with what it prints. */
  run(file: string, ...args: string[]): string;
  /** Ends sshd and every connection, as a crash does; what else runs goes on. */
  killSshd(): Promise<void>;
  /** With another key than the host's own, where that is wanted. */
  startSshd(key?: 'host' | 'other'): Promise<void>;
  /** Every connection stands still, or sshd as a whole: no packet is refused, and none is answered. */
  freeze(what: 'connections' | 'sshd'): void;
  thaw(): void;
  /** Its user's key is let in no more, or again. */
  admit(admitted: boolean): void;
  /** Takes the network away: no packet comes or goes, and nobody is told. On loopback sshd stands still instead. */
  cut(): void;
  mend(): void;
  /** No way leads there any more, and whoever tries is told; not with {@link hostLimits}. */
  block(): void;
  unblock(): void;
  /** Ends all that runs there and starts the host again. */
  reboot(): Promise<void>;
  /** Ends it with all that it runs, and removes every trace. */
  stop(): Promise<void>;
}

export interface SshHostOptions {
  /** Its user's home lies on a disk of this size only; not with {@link hostLimits}. */
  readonly diskMb?: number;
  /** It has none of the programs that a host need not have. */
  readonly bare?: boolean;
  /** An editor server of this machine, by its folder, that it has already. */
  readonly editorServer?: string;
}

/** What other machines have, and no host needs. */
const masked = [
  'node',
  'npm',
  'tar',
  'gzip',
  'xz',
  'unzip',
  'curl',
  'wget',
  'python3',
  'perl',
  'sha256sum',
  'base64',
  'git',
];

/** Where programs are looked up there, whatever whoever runs the tests has put on the PATH besides. */
const pathThere = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Why no host can be started here; undefined when one can. */
export function sshHostProblem(): string | undefined {
  if (process.platform !== 'linux') return 'hosts of the tests need Linux';
  const missing = ['/usr/sbin/sshd', '/usr/bin/ssh', '/usr/bin/unshare', '/usr/bin/nsenter'].filter(
    file => !existsSync(file),
  );
  if (missing.length > 0)
    return `${missing.join(', ')} not installed (Debian: apt-get install openssh-server iproute2)`;
  if (isRoot) return undefined;
  if (!canLogIn()) return 'its user has no account with a home';
  const { status, stderr } = spawnSync('unshare', [...ownUser, ...ownSpaces, 'true'], { encoding: 'utf8' });
  return status === 0 ? undefined : `a user who is not root may not make namespaces: ${stderr.trim()}`;
}

/** Whether sshd can let in whoever runs the tests. */
function canLogIn(): boolean {
  try {
    const { homedir } = os.userInfo();
    return homedir !== '/' && existsSync(homedir);
  } catch {
    return false;
  }
}

/** A namespace of users in which whoever is not root may do the rest, and is nobody else. */
const ownUser = isRoot ? [] : ['--user', '--map-current-user', '--keep-caps'];
const ownSpaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];

const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe' });
const quietly = (work: () => unknown) => {
  try {
    work();
  } catch {
    // It is so already.
  }
};

async function until(condition: () => boolean, what: () => string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(what());
    await sleep(25);
  }
}

/** Starts a host; `name` is 1 to 5 letters and digits. What a killed test run left is ended first. */
export async function startSshHost(
  name: string,
  { diskMb, bare = false, editorServer }: SshHostOptions = {},
): Promise<SshHost> {
  removeAbandoned();
  const key = `${name}${process.pid.toString(36)}`;
  const root = path.join(roots, `${key}.${process.pid}`);
  const at = (...names: string[]) => path.join(root, ...names);
  const { username, homedir } = os.userInfo();
  const environmentThere = [`PATH=${pathThere}`, `HOME=${homedir}`];
  for (const folder of ['home', 'tmp', 'ssh']) mkdirSync(at(folder), { recursive: true, mode: 0o700 });
  if (diskMb !== undefined && isRoot) run('mount', '-t', 'tmpfs', '-o', `size=${diskMb}m`, 'tmpfs', at('home'));
  const network = isRoot ? makeNetwork(key) : loopbackNetwork(key);
  writeKeys(at('ssh'), name, network, username);

  let init: { child: ChildProcess; pid: number } | undefined;
  const entered = isRoot ? ['--mount', '--pid', '--net'] : ['--user', '--preserve-credentials', '--mount', '--pid'];
  const enter = () => ['--target', String(init?.pid), ...entered];
  const startSshd = async (key = 'host') => {
    rmSync(at('ssh', 'pid'), { force: true });
    const own = ['-o', `HostKey=${at('ssh', key)}`, '-E', at('ssh', 'log')];
    const args = [...enter(), '/usr/sbin/sshd', '-f', at('ssh', 'sshd_config'), ...own];
    execFileSync('nsenter', args, { stdio: 'ignore' });
    await until(
      () => existsSync(at('ssh', 'pid')),
      () => `sshd did not start: ${readFileSync(at('ssh', 'log'), 'utf8')}`,
    );
  };
  const start = async () => {
    writeFileSync(at('boot'), `${randomUUID()}\n`);
    // The first process of the host: it takes in whoever lost its parent, and all others end with it.
    const script = [
      'set -e',
      // Before this machine's own home and temporary folder are covered: it may lie there.
      ...(editorServer === undefined ? [] : shared(editorServer, at('home', '.remote-swarm', 'server'))),
      `mount --rbind '${at('home')}' '${homedir}'`,
      // A machine has another one each time it is started.
      `mount --bind '${at('boot')}' /proc/sys/kernel/random/boot_id`,
      ...[`mount --bind '${at('tmp')}' /tmp`, ...(isRoot ? ['mkdir -p /run/sshd'] : terminalsOf(at('group')))],
      ...(bare ? programs(masked).map(file => `mount --bind /dev/null '${file}'`) : []),
      ...[`touch '${at('ready')}'`, 'while :; do sleep 3600 & wait; done'],
    ].join('\n');
    rmSync(at('ready'), { force: true });
    const [file = '', ...args] = [...network.enter, 'unshare', ...ownUser, ...ownSpaces, 'sh', '-c', script];
    const output = openSync(at('log'), 'w');
    const child = spawn(file, args, { stdio: ['ignore', output, output], cwd: '/' });
    closeSync(output);
    await until(
      () => existsSync(at('ready')),
      () => `the host did not start: ${readFileSync(at('log'), 'utf8')}`,
    );
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
    init = { child, pid: Number(children.trim().split(' ')[0]) };
    await startSshd();
  };
  const end = async () => {
    if (!init) return;
    const { child, pid } = init;
    init = undefined;
    const ended = new Promise(resolve => child.once('close', resolve));
    quietly(() => process.kill(pid, 'SIGKILL'));
    if (child.exitCode === null && child.signalCode === null) await ended;
  };
  const sshds = () => processesIn(init?.pid ?? 0).filter(pid => /^(\S*\/)?sshd[: ]/.test(commandOf(pid)));
  const signal = (pids: readonly number[], name: NodeJS.Signals) => {
    for (const pid of pids) quietly(() => process.kill(pid, name));
  };
  const freeze: SshHost['freeze'] = what => {
    const isWanted = (pid: number) => what === 'sshd' || !/\[listener\]/.test(commandOf(pid));
    signal(sshds().filter(isWanted), 'SIGSTOP');
  };
  const thaw = () => signal(sshds(), 'SIGCONT');
  const noNetwork = () => {
    throw new Error(hostLimits);
  };
  await start();
  return {
    name,
    address: network.address,
    home: at('home'),
    homeThere: homedir,
    path: at('ssh', 'known-bin'),
    config: at('ssh', 'known.config'),
    strangerPath: at('ssh', 'stranger-bin'),
    changedPath: at('ssh', 'changed-bin'),
    keylessPath: at('ssh', 'keyless-bin'),
    agentlessPath: at('ssh', 'agentless-bin'),
    strangeUserPath: at('ssh', 'strange-user-bin'),
    run: (file, ...args) => run('nsenter', ...enter(), '/usr/bin/env', ...environmentThere, file, ...args),
    killSshd: async () => {
      const pids = sshds();
      signal(pids, 'SIGKILL');
      await until(
        () => !pids.some(alive),
        () => 'sshd did not end',
      );
    },
    startSshd,
    freeze,
    thaw,
    admit: admitted => writeFileSync(at('ssh', 'authorized'), admitted ? readFileSync(at('ssh', 'client.pub')) : ''),
    cut: network.link?.cut ?? (() => freeze('sshd')),
    mend: network.link?.mend ?? thaw,
    block: network.link?.block ?? noNetwork,
    unblock: network.link?.unblock ?? noNetwork,
    reboot: async () => {
      await end();
      await start();
    },
    stop: async () => {
      network.link?.unblock();
      await end();
      removeTraces(root, key);
    },
  };
}

/**
 * Terminals of the one user that there is. The group that sshd would give them to is not known there, and without it they
 * are its user's own.
 */
const terminalsOf = (groups: string) => [
  'mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts',
  'mount --bind /dev/pts/ptmx /dev/ptmx',
  `grep -v ^tty: /etc/group > '${groups}'`,
  `mount --bind '${groups}' /etc/group`,
];

/** Shows a folder of this machine below one of the host, where nobody can change it. */
const shared = (folder: string, below: string) => {
  const place = `'${path.join(below, path.basename(folder))}'`;
  return [`mkdir -p ${place}`, `mount --bind '${folder}' ${place}`, `mount -o remount,bind,ro ${place}`];
};

const programs = (names: readonly string[]) =>
  names.flatMap(name => ['/usr/bin', '/usr/local/bin'].map(folder => path.join(folder, name))).filter(existsSync);

/** The processes of the host whose first one this is. */
function processesIn(init: number): number[] {
  const spaceOf = (pid: number | string) => {
    try {
      return (
        readFileSync(`/proc/${pid}/status`, 'utf8')
          .match(/^NSpid:\s+(.*)$/m)?.[1]
          ?.split('\t').length ?? 0
      );
    } catch {
      return 0;
    }
  };
  const depth = spaceOf(init);
  const parentOf = (pid: number) => {
    try {
      return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);
    } catch {
      return 0;
    }
  };
  const isBelow = (pid: number): boolean => pid === init || (pid > 1 && isBelow(parentOf(pid)));
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => spaceOf(pid) >= depth && isBelow(pid));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Keys and configurations of the host and of its clients. */
function writeKeys(folder: string, name: string, { address, port }: HostNetwork, owner: string): void {
  const at = (file: string) => path.join(folder, file);
  for (const key of ['host', 'client', 'other']) run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', at(key));
  writeFileSync(at('authorized'), readFileSync(at('client.pub')));
  const known = port === 22 ? address : `[${address}]:${port}`;
  writeFileSync(at('known'), `${known} ${readFileSync(at('host.pub'), 'utf8')}`);
  writeFileSync(at('changed'), `${known} ${readFileSync(at('other.pub'), 'utf8')}`);
  writeFileSync(at('unknown'), '');
  writeFileSync(
    at('sshd_config'),
    [
      ...[`Port ${port}`, `ListenAddress ${address}`, `PidFile ${at('pid')}`],
      ...[`AuthorizedKeysFile ${at('authorized')}`, 'UsePAM no', 'StrictModes no', 'PasswordAuthentication no'],
      ...['PermitRootLogin prohibit-password', 'MaxSessions 100', 'MaxStartups 100'],
    ].join('\n'),
  );
  const client = (kind: string, own: { key?: string; known?: string; user?: string }) => {
    const { key = 'client', known = 'known', user = owner } = own;
    writeFileSync(
      at(`${kind}.config`),
      [
        ...[`Host ${name}`, `HostName ${address}`, `Port ${port}`, `User ${user}`],
        ...[
          `IdentityFile ${key === 'none' ? key : at(key)}`,
          'IdentitiesOnly yes',
          `UserKnownHostsFile ${at(known)}`,
          'GlobalKnownHostsFile /dev/null',
        ],
        ...['StrictHostKeyChecking yes', 'IdentityAgent none'],
      ].join('\n'),
    );
    const bin = at(`${kind}-bin`);
    mkdirSync(bin);
    const script = `#!/bin/sh\nexec /usr/bin/ssh -F ${at(`${kind}.config`)} "$@"\n`;
    writeFileSync(path.join(bin, 'ssh'), script, { mode: 0o755 });
  };
  client('known', {});
  client('stranger', { known: 'unknown' });
  client('changed', { known: 'changed' });
  client('keyless', { key: 'other' });
  client('agentless', { key: 'none' });
  client('strange-user', { user: 'nobody-there' });
}

function removeTraces(root: string, key: string): void {
  for (const pid of globSync('/proc/[0-9]*').map(file => Number(path.basename(file)))) {
    if (commandOf(pid).includes(root)) quietly(() => process.kill(pid, 'SIGKILL'));
  }
  if (isRoot) removeNetwork(key);
  quietly(() => run('umount', '-l', path.join(root, 'home')));
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}

/** Removes the hosts of test runs that are no more. */
function removeAbandoned(): void {
  if (!existsSync(roots)) return;
  for (const folder of readdirSync(roots)) {
    const [key = '', owner] = folder.split('.');
    if (!alive(Number(owner))) quietly(() => removeTraces(path.join(roots, folder), key));
  }
}
