import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, providerRefused, providerUnreachable, type SwarmError, timedOut } from '../model/errors.ts';

/** A host as `ssh` is called for it; what is not said is as the user's own configuration has it. */
export interface SshTarget {
  readonly host: string;
  readonly user?: string | undefined;
  readonly port?: number | undefined;
}

/** Where a link's socket leads: to a socket or `host:port` over there, or to the connection, for other calls to share. */
export type SshLead = { readonly forwardTo: string } | 'connection';

/** Less than a call to a provider may take, so that the reason is ssh's own. */
const patience = 12_000;

/**
 * Arguments of one call of `ssh`: nothing is asked, a silent connection ends, and no connection is shared but the one
 * whose socket is named. `extra` are options of this call, `command` is what the host's shell runs.
 */
export function sshArguments(
  { host, user, port }: SshTarget,
  extra: readonly string[],
  connection: string,
  command: string,
): string[] {
  const options = [
    ...['BatchMode=yes', 'ConnectTimeout=10', 'ServerAliveInterval=5', 'ServerAliveCountMax=3'],
    ...['ControlMaster=no', `ControlPath="${unexpanded(connection)}"`, 'ControlPersist=no'],
  ];
  return [
    ...extra,
    ...options.flatMap(option => ['-o', option]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '--',
    user === undefined ? host : `${user}@${host}`,
    command,
  ];
}

/** A path in which `ssh` would else put something of its own. */
const unexpanded = (file: string) => file.replaceAll('%', '%%');

/** Ends with the stream that it reads, and so with whoever started `ssh`, however that ends. */
const waits = 'cat';

/** Arguments for `ssh` that make `socket` lead there, as long as its input stays open, and do nothing else. */
export function linkArguments(target: SshTarget, socket: string, lead: SshLead): string[] {
  const idle = ['-T', '-o', 'RemoteCommand=none'];
  if (lead === 'connection') {
    const shared = ['-o', 'ControlMaster=yes', '-o', 'ClearAllForwardings=yes'];
    return sshArguments(target, [...idle, ...shared], socket, waits);
  }
  // A forward of the person's own, that another ssh has already, is no reason to end.
  const lenient = ['-o', 'ExitOnForwardFailure=no', '-o', 'StreamLocalBindMask=0177'];
  return sshArguments(target, [...idle, ...lenient, '-L', `${unexpanded(socket)}:${lead.forwardTo}`], 'none', waits);
}

/**
 * One `ssh` child that holds a socket here which leads to a host, as long as it lives: a request through it costs what
 * it costs locally, where a connection per request would take hundreds of milliseconds. Ended by {@link dispose}.
 */
export class SshLink {
  readonly socketPath: string;
  readonly #directory: string;
  readonly #child: ChildProcess;
  #problem: string | undefined;

  private constructor(directory: string, socketPath: string, child: ChildProcess) {
    this.#directory = directory;
    this.socketPath = socketPath;
    this.#child = child;
    let errors = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-2_000);
    });
    child.on('error', error => {
      this.#problem = messageOf(error);
    });
    child.on('close', code => {
      this.#problem ??= errors.trim() || `ssh ended with ${code}`;
    });
  }

  /** Resolves when the socket is there. Rejects with ssh's own reason and its fix. */
  static async open(providerId: string, target: SshTarget, lead: SshLead): Promise<SshLink> {
    // A short path: a socket's may have about a hundred characters.
    const directory = await mkdtemp(path.join(os.tmpdir(), 'rsw-'));
    const socketPath = path.join(directory, 's');
    const child = spawn('ssh', linkArguments(target, socketPath, lead), { stdio: ['pipe', 'ignore', 'pipe'] });
    const link = new SshLink(directory, socketPath, child);
    const limit = AbortSignal.timeout(patience);
    try {
      while (!(await exists(socketPath))) {
        if (link.#problem !== undefined) throw sshProblem(providerId, target, link.#problem);
        await sleep(25, undefined, { signal: limit }).catch(() => {});
        if (limit.aborted) throw timedOut(`Connecting to ${target.host} with ssh`, patience);
      }
      return link;
    } catch (error) {
      await link.dispose();
      throw error;
    }
  }

  get alive(): boolean {
    return this.#problem === undefined;
  }

  async dispose(): Promise<void> {
    if (this.alive) {
      const closed = new Promise(resolve => this.#child.once('close', resolve));
      this.#child.kill();
      await closed;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}

const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Words what `ssh` said on its error stream. */
export function sshProblem(providerId: string, { host, user, port }: SshTarget, said: string): SwarmError {
  const command = `ssh ${port === undefined ? '' : `-p ${port} `}${user === undefined ? '' : `${user}@`}${host}`;
  const known = port === undefined ? host : `[${host}]:${port}`;
  const last = said.split('\n').at(-1)?.replace(/\.$/, '').slice(0, 300) ?? '';
  if (/ENOENT/.test(said)) {
    return providerRefused('ssh-missing', 'There is no ssh on this machine.', 'Install OpenSSH, then try again.');
  }
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/i.test(said)) {
    return providerRefused(
      'ssh-host-key-changed',
      `The host key of ${host} is not the one that is known: it was set up anew, or something else answers in its place.`,
      `Ask whoever runs the host. If the new key is its own, run "ssh-keygen -R ${known}", then "${command}" in a terminal.`,
    );
  }
  if (/Host key verification failed/i.test(said)) {
    return providerRefused(
      'ssh-host-key',
      `The host key of ${host} is not known.`,
      `Run "${command}" once in a terminal, compare the key, and try again.`,
    );
  }
  if (/Permission denied|Too many authentication failures/i.test(said)) {
    return providerRefused(
      'ssh-permission',
      `${host} refused the ssh login: ${last}.`,
      'Check the user, and add the key to your ssh agent ("ssh-add"); a password can\'t be asked for here.',
    );
  }
  if (/No route to host|Network is unreachable/i.test(said)) {
    return providerUnreachable(
      providerId,
      `ssh to ${host} failed: ${last}`,
      'Check the network or VPN of this machine, and whether the host is up.',
    );
  }
  return providerUnreachable(
    providerId,
    `ssh to ${host} failed: ${last}`,
    `Check that "${command}" works in a terminal without a question.`,
  );
}
