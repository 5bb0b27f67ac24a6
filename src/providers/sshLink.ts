import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf, type SwarmError, timedOut } from '../model/errors.ts';
import { makeSocketFolder } from './socketFolder.ts';
import { forwardArguments, masterArguments, type SshTarget } from './sshArguments.ts';
import { shellProblem, sshProblem } from './sshProblem.ts';

/** Where a link's socket leads: to a socket or `host:port` over there, or to the connection, for other calls to share. */
export type SshLead = { readonly forwardTo: string } | 'connection';

/** Less than a call to a provider may take, so that the reason is ssh's own. */
const patience = 12_000;
/** Bytes in the longest name of a socket: `ssh` makes that of a connection under one with 17 more. */
const socketName = 's'.length + 17;
const mostSaid = 4_000;

/**
 * One `ssh` child that holds a socket here which leads to a host, as long as it lives: a request through it costs what
 * it costs locally, where a connection per request would take hundreds of milliseconds. Ended by {@link dispose}.
 */
export class SshLink {
  readonly socketPath: string;
  readonly #providerId: string;
  readonly #directory: string;
  readonly #child: ChildProcess;
  #problem: SwarmError | undefined;
  #said = '';

  private constructor(
    providerId: string,
    target: SshTarget,
    directory: string,
    socketPath: string,
    child: ChildProcess,
  ) {
    this.#providerId = providerId;
    this.#directory = directory;
    this.socketPath = socketPath;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said = (this.#said + text).slice(-mostSaid);
      });
    child.on('error', error => {
      this.#problem = sshProblem(providerId, target, messageOf(error));
    });
    child.on('close', code => {
      const isOwn = code === null || code === 255;
      const ended = () => sshProblem(providerId, target, this.#said.trim() || `ssh ended with ${code}`);
      this.#problem ??= isOwn ? ended() : shellProblem(target, this.#said);
    });
  }

  /** Resolves when the socket is there. Rejects with ssh's own reason and its fix. */
  static async open(providerId: string, target: SshTarget, lead: SshLead): Promise<SshLink> {
    const directory = await makeSocketFolder(socketName);
    const connection = path.join(directory, 's');
    const socketPath = lead === 'connection' ? connection : path.join(directory, 'f');
    const child = spawn('ssh', masterArguments(target, connection, lead !== 'connection'), { stdio: 'pipe' });
    const link = new SshLink(providerId, target, directory, socketPath, child);
    const limit = AbortSignal.timeout(patience);
    try {
      while (!(await exists(connection))) {
        if (link.#problem !== undefined) throw link.#problem;
        await sleep(25, undefined, { signal: limit }).catch(() => {});
        if (limit.aborted) throw timedOut(`Connecting to ${target.host} with ssh`, patience);
      }
      if (lead !== 'connection') await link.#forward(target, connection, lead.forwardTo, limit);
      return link;
    } catch (error) {
      await link.dispose();
      throw error;
    }
  }

  get alive(): boolean {
    return this.#problem === undefined;
  }

  /** What `ssh` has said so far. */
  get said(): string {
    return this.#said;
  }

  /** Why it lives no more. */
  get problem(): SwarmError | undefined {
    return this.#problem;
  }

  async dispose(): Promise<void> {
    if (this.alive) {
      const closed = new Promise(resolve => this.#child.once('close', resolve));
      this.#child.kill();
      await closed;
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Has the connection lead from the socket to `to`. */
  async #forward(target: SshTarget, connection: string, to: string, signal: AbortSignal): Promise<void> {
    try {
      await promisify(execFile)('ssh', forwardArguments(target, connection, this.socketPath, to), { signal });
    } catch (error) {
      if (this.#problem) throw this.#problem;
      if (signal.aborted) throw timedOut(`Connecting to ${target.host} with ssh`, patience);
      const { stderr } = error as { stderr?: string };
      throw sshProblem(this.#providerId, target, stderr?.trim() || messageOf(error));
    }
  }
}

const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );
