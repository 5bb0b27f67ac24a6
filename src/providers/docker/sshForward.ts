import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, providerRefused, providerUnreachable, type SwarmError, timedOut } from '../../model/errors.ts';
import type { DockerEndpoint } from './dockerEndpoint.ts';

type SshEndpoint = Extract<DockerEndpoint, { kind: 'ssh' }>;

/** Less than an engine call may take, so that the reason is ssh's own. */
const patience = 12_000;

/** Arguments for `ssh` that lead `localSocket` to the engine's socket over there, and nothing else. */
export function sshArguments({ host, user, port, socket }: SshEndpoint, localSocket: string): string[] {
  const option = (value: string) => ['-o', value];
  return [
    '-N',
    '-T',
    ...option('BatchMode=yes'),
    ...option('ConnectTimeout=10'),
    ...option('ExitOnForwardFailure=yes'),
    ...option('ServerAliveInterval=15'),
    ...option('StreamLocalBindMask=0177'),
    ...option('ControlMaster=no'),
    ...option('ControlPath=none'),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '-L',
    `${localSocket}:${socket}`,
    '--',
    user === undefined ? host : `${user}@${host}`,
  ];
}

/**
 * One `ssh` child that carries a remote engine's socket here: a request costs what it costs on a local one, where a
 * connection per request would take hundreds of milliseconds. Ended by {@link dispose}.
 */
export class SshForward {
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
  static async open(providerId: string, endpoint: SshEndpoint): Promise<SshForward> {
    // A short path: a socket's may have about a hundred characters.
    const directory = await mkdtemp(path.join(os.tmpdir(), 'rsw-'));
    const socketPath = path.join(directory, 'd.sock');
    const child = spawn('ssh', sshArguments(endpoint, socketPath), { stdio: ['ignore', 'ignore', 'pipe'] });
    const forward = new SshForward(directory, socketPath, child);
    const limit = AbortSignal.timeout(patience);
    try {
      while (!(await exists(socketPath))) {
        if (forward.#problem !== undefined) throw sshProblem(providerId, endpoint.host, forward.#problem);
        await sleep(25, undefined, { signal: limit }).catch(() => {});
        if (limit.aborted) throw timedOut(`Connecting to ${endpoint.host} with ssh`, patience);
      }
      return forward;
    } catch (error) {
      await forward.dispose();
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
export function sshProblem(providerId: string, host: string, said: string): SwarmError {
  const last = said.split('\n').at(-1)?.slice(0, 300) ?? '';
  if (/ENOENT/.test(said)) {
    return providerRefused('ssh-missing', 'There is no ssh on this machine.', 'Install OpenSSH, then try again.');
  }
  if (/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i.test(said)) {
    return providerRefused(
      'ssh-host-key',
      `The host key of ${host} is not known, or has changed.`,
      `Run "ssh ${host}" once in a terminal, compare the key, and try again.`,
    );
  }
  if (/Permission denied|Too many authentication failures/i.test(said)) {
    return providerRefused(
      'ssh-permission',
      `${host} refused the ssh login: ${last}.`,
      'Add the key to your ssh agent ("ssh-add"); a password can\'t be asked for here.',
    );
  }
  return providerUnreachable(
    providerId,
    `ssh to ${host} failed: ${last}`,
    `Check that "ssh ${host}" works in a terminal without a question.`,
  );
}
