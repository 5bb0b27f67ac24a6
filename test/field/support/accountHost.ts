import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SwarmError } from '../../../src/model/errors.ts';
import { installEditorServer } from '../../../src/providers/editorServerInstaller.ts';
import { GuardedProvider } from '../../../src/providers/guardedProvider.ts';
import { SshProvider } from '../../../src/providers/ssh/sshProvider.ts';
import { type LoneProvider, loneProvider } from '../../fakes/loneProvider.ts';
import { sshEnvironment, useSsh } from '../../ssh/support/sshProviders.ts';

/** What an account of the host is like, and how its person reaches it. */
export interface Account {
  readonly name: string;
  readonly shell?: string;
  /** Files of its home. */
  readonly files?: Readonly<Record<string, string>>;
  /** What is special about that home. */
  readonly home?: 'missing' | 'read-only' | 'noexec' | 'foreign' | 'full';
  /** What the ssh server's configuration says of it. */
  readonly sshd?: string;
  /** What stands before its key in `authorized_keys`. */
  readonly key?: string;
  /** Its password is to be changed. */
  readonly expired?: boolean;
  /** What the person's own configuration of `ssh` says of it; `KEYS` is the folder of the keys. */
  readonly client?: string;
}

const run = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: 'utf8', stdio: 'pipe' });
const firstUser = 61_000;

/** Why there can be no such host here; undefined when there can. */
export function accountHostProblem(): string | undefined {
  if (process.platform !== 'linux') return 'hosts of the tests need Linux';
  if (process.getuid?.() !== 0) return 'only root can give a host accounts of its own';
  const missing = ['/usr/sbin/sshd', '/bin/tcsh', '/bin/bsd-csh', '/usr/bin/fish', '/bin/zsh', '/usr/bin/tmux'].filter(
    file => !existsSync(file),
  );
  return missing.length === 0 ? undefined : `${missing.join(', ')} not installed`;
}

/** One host with a real sshd and many accounts, which this machine does not have. */
export class AccountHost {
  readonly #root: string;
  readonly #address: string;
  readonly #child: ChildProcess;
  readonly #restorePath: () => void;

  private constructor(root: string, address: string, child: ChildProcess) {
    this.#root = root;
    this.#address = address;
    this.#child = child;
    this.#restorePath = useSsh(path.join(root, 'bin'));
  }

  static async start(accounts: readonly Account[]): Promise<AccountHost> {
    const server = await installEditorServer(sshEnvironment.editorServerDirectory);
    const root = mkdtempSync(path.join(tmpdir(), 'remote-swarm-accounts-'));
    chmodSync(root, 0o755);
    const [second = 0, third = 0, fourth = 0] = createHash('sha256').update(root).digest();
    const address = ['127', 1 + (second % 254), third, 1 + (fourth % 254)].join('.');
    for (const folder of ['homes', 'keys', 'admitted', 'bin', 'etc']) mkdirSync(path.join(root, folder));
    writeAccounts(root, accounts);
    writeHomes(root, accounts);
    writeKeys(root, address, accounts);
    writeServer(root, address, accounts);
    const script = hostScript(root, accounts, path.resolve(server.serverMain, ...Array(6).fill('..')));
    const own = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];
    const child = spawn('unshare', [...own, 'sh', '-c', script], { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', text => {
      said += text;
    });
    const host = new AccountHost(root, address, child);
    for (const port of Object.values(ports)) {
      for (const end = performance.now() + 30_000; !(await listens(address, port)); await sleep(25)) {
        if (performance.now() < end && child.exitCode === null) continue;
        await host.stop();
        throw new Error(`the host did not start: ${said}`);
      }
    }
    return host;
  }

  /** What *Test Provider* says of an account. */
  async tested(name: string): Promise<string> {
    const provider = this.provider(name);
    try {
      await provider.initialize();
      return 'can be used';
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      return `${error.message} ${error.hint}`
        .replaceAll(path.join(this.#root, 'keys'), 'KEYS')
        .replaceAll(this.#address, 'HOST');
    } finally {
      await provider.dispose();
    }
  }

  provider(name: string): LoneProvider {
    return loneProvider(new GuardedProvider(new SshProvider({ id: name, type: 'ssh', host: name }, sshEnvironment)));
  }

  /** Gives the programs that were brought to one account to the others, whose homes can take them. */
  share(from: string, accounts: readonly Account[]): void {
    const source = path.join(this.#root, 'homes', from, '.remote-swarm', 'programs');
    for (const [index, { name, home }] of accounts.entries()) {
      if (name === from || home !== undefined) continue;
      const target = path.join(this.#root, 'homes', name, '.remote-swarm', 'programs');
      cpSync(source, target, { recursive: true });
      run('chown', '-R', `${firstUser + index}:${firstUser + index}`, target);
    }
  }

  async stop(): Promise<void> {
    this.#restorePath();
    const ended = new Promise(resolve => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
    rmSync(this.#root, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Of the plain ssh server, and of one that asks PAM whether a password is good for still longer. */
const ports = { plain: 22_023, pam: 22_024 };

function writeAccounts(root: string, accounts: readonly Account[]): void {
  const at = (name: string) => path.join(root, 'etc', name);
  const system = ['root:x:0:0:root:/root:/bin/bash', 'sshd:x:104:65534::/run/sshd:/usr/sbin/nologin'];
  const entries = accounts.map(({ name, shell = '/bin/bash' }, index) => {
    const id = firstUser + index;
    return `${name}:x:${id}:${id}::/home/${name}:${shell}`;
  });
  writeFileSync(at('passwd'), [...system, ...entries, ''].join('\n'));
  const groups = accounts.map(({ name }, index) => `${name}:x:${firstUser + index}:`);
  writeFileSync(at('group'), ['root:x:0:', 'tty:x:5:', ...groups, ''].join('\n'));
  const passwords = accounts.map(({ name, expired }) => `${name}:*:${expired ? 0 : 20_000}:0:99999:7:::`);
  writeFileSync(at('shadow'), ['root:*:20000:0:99999:7:::', ...passwords, ''].join('\n'));
  writeFileSync(
    at('sshd'),
    'auth required pam_deny.so\naccount required pam_unix.so\nsession required pam_permit.so\n',
  );
}

function writeHomes(root: string, accounts: readonly Account[]): void {
  for (const [index, { name, files = {}, home }] of accounts.entries()) {
    if (home === 'missing') continue;
    const folder = path.join(root, 'homes', name);
    for (const below of ['', '.remote-swarm', '.remote-swarm/server'])
      mkdirSync(path.join(folder, below), { recursive: true, mode: 0o700 });
    if (home !== undefined) rmSync(path.join(folder, '.remote-swarm'), { recursive: true });
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text, { mode: 0o755 });
    }
    const id = firstUser + index;
    run('chown', '-R', `${id}:${id}`, folder);
    if (home === 'foreign') chownSync(folder, 0, 0);
    chmodSync(folder, home === 'foreign' ? 0o755 : 0o700);
  }
}

function writeKeys(root: string, address: string, accounts: readonly Account[]): void {
  const at = (...names: string[]) => path.join(root, ...names);
  const make = (name: string, passphrase = '') =>
    run('ssh-keygen', '-q', '-t', 'ed25519', '-C', '', '-N', passphrase, '-f', at('keys', name));
  for (const name of ['host', 'client', 'other', 'open']) make(name);
  make('locked', 'a passphrase');
  chmodSync(at('keys', 'open'), 0o644);
  const publicKey = (name: string) => readFileSync(at('keys', `${name}.pub`), 'utf8').trim();
  const known = (name: string) => Object.values(ports).map(port => `[${address}]:${port} ${publicKey(name)}\n`);
  writeFileSync(at('keys', 'known'), known('host').join(''));
  writeFileSync(at('keys', 'changed'), known('other').join(''));
  writeFileSync(at('keys', 'unknown'), '');
  for (const { name, key } of accounts) {
    const options = key === undefined ? '' : `${key} `;
    writeFileSync(
      at('admitted', name),
      ['client', 'open', 'locked'].map(one => `${options}${publicKey(one)}\n`).join(''),
    );
  }
  const hosts = accounts.flatMap(({ name, client = '', expired }) => [
    ...[`Host ${name}`, client.replaceAll('KEYS', at('keys')), `HostName ${address}`, `User ${name}`],
    ...[`Port ${expired ? ports.pam : ports.plain}`, 'IdentitiesOnly yes'],
    ...(client.includes('IdentityFile') ? [] : [`IdentityFile ${at('keys', 'client')}`]),
    ...[`UserKnownHostsFile ${at('keys', 'known')}`, 'GlobalKnownHostsFile /dev/null'],
    ...['StrictHostKeyChecking yes', 'IdentityAgent none'],
  ]);
  writeFileSync(at('keys', 'config'), hosts.join('\n'));
  writeFileSync(at('bin', 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${at('keys', 'config')} "$@"\n`, { mode: 0o755 });
}

function writeServer(root: string, address: string, accounts: readonly Account[]): void {
  const at = (...names: string[]) => path.join(root, ...names);
  const configuration = (port: number, usePam: string) => [
    ...[`Port ${port}`, `ListenAddress ${address}`, `HostKey ${at('keys', 'host')}`, 'PidFile none'],
    ...[`AuthorizedKeysFile ${at('admitted')}/%u`, 'StrictModes no', 'PasswordAuthentication no', `UsePAM ${usePam}`],
    ...['KbdInteractiveAuthentication no', 'MaxStartups 100', 'LogLevel QUIET'],
    ...accounts.flatMap(({ name, sshd }) => (sshd === undefined ? [] : [`Match User ${name}`, sshd])),
  ];
  writeFileSync(at('etc', 'sshd_plain'), configuration(ports.plain, 'no').join('\n'));
  writeFileSync(at('etc', 'sshd_pam'), configuration(ports.pam, 'yes').join('\n'));
}

/** What makes the host of this machine, seen from its first process alone. */
function hostScript(root: string, accounts: readonly Account[], editorServer: string): string {
  const at = (...names: string[]) => `'${path.join(root, ...names)}'`;
  const homes = accounts.flatMap(({ name, home }) => {
    const folder = at('homes', name);
    if (home === 'read-only') return [`mount --bind ${folder} ${folder}`, `mount -o remount,bind,ro ${folder}`];
    if (home === 'noexec') return [`mount --bind ${folder} ${folder}`, `mount -o remount,bind,noexec ${folder}`];
    if (home === 'full') return [`mount -t tmpfs -o size=8m,mode=777 tmpfs ${folder}`];
    if (home !== undefined) return [];
    const server = at('homes', name, '.remote-swarm', 'server', path.basename(editorServer));
    return [`mkdir ${server}`, `mount --bind '${editorServer}' ${server}`, `mount -o remount,bind,ro ${server}`];
  });
  return [
    ...['set -e', ...homes, `mount --rbind ${at('homes')} /home`],
    // A mount on one file would be gone with what replaces that file on this machine.
    `cp -a /etc ${at('there')} 2>/dev/null || true`,
    ...['passwd', 'group', 'shadow', 'pam.d/sshd'].map(
      file => `cp ${at('etc', path.basename(file))} ${at('there', file)}`,
    ),
    ...[`mount --bind ${at('there')} /etc`, 'mkdir -p /run/sshd'],
    ...[`/usr/sbin/sshd -f ${at('etc', 'sshd_pam')}`, `exec /usr/sbin/sshd -D -f ${at('etc', 'sshd_plain')}`],
  ].join('\n');
}

const listens = (host: string, port: number) =>
  new Promise<boolean>(resolve => {
    const socket = connect({ host, port });
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('data', () => socket.destroy());
    setTimeout(() => socket.destroy(), 1_000).unref();
  });
