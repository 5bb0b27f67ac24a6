import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { SwarmError } from '../../model/errors.ts';
import { joinArguments, type SshTarget, sshArguments } from '../sshArguments.ts';
import { SshLink } from '../sshLink.ts';
import { shellProblem, sshProblem } from '../sshProblem.ts';
import { LastingLink } from './lastingLink.ts';

/**
 * The way to one host: an `ssh` that stays, through which each call finds its way at once. It is opened when it is
 * needed, and anew when it was lost.
 */
export class SshConnection {
  readonly providerId: string;
  readonly target: SshTarget;
  readonly #children = new Set<ChildProcessWithoutNullStreams>();
  readonly #shared: LastingLink;

  constructor(providerId: string, target: SshTarget) {
    this.providerId = providerId;
    this.target = target;
    this.#shared = new LastingLink(() => SshLink.open(providerId, target, 'connection'));
  }

  /** Starts what the host's shell makes of `command`, through the shared connection. Rejects when that can't be had. */
  async start(command: string, extra: readonly string[] = noTerminal): Promise<ChildProcessWithoutNullStreams> {
    const { socketPath } = await this.#shared.get();
    return this.#spawn(sshArguments(this.target, extra, socketPath, command));
  }

  /** The same through a connection of its own, for what carries much: nothing else waits behind it. */
  startAlone(command: string, extra: readonly string[] = []): ChildProcessWithoutNullStreams {
    return this.#spawn(sshArguments(this.target, [...noTerminal, ...extra], 'none', command));
  }

  /** Starts an `ssh` that joins its standard streams to a port of the host's loopback. */
  startForward(port: number): ChildProcessWithoutNullStreams {
    return this.#spawn(joinArguments(this.target, port));
  }

  /** A socket here that leads to a port of the host's loopback; for its caller to dispose. */
  forward(port: number): LastingLink {
    return new LastingLink(() => SshLink.open(this.providerId, this.target, { forwardTo: `127.0.0.1:${port}` }));
  }

  /** What `ssh` said when it failed, with the way out. */
  problem(said: string): SwarmError {
    return sshProblem(this.providerId, this.target, said);
  }

  /** What was said where the host did not run the command, with the way out. */
  shellProblem(said: string): SwarmError {
    return shellProblem(this.target, said);
  }

  /** Ends the shared connection and all that was started. */
  async dispose(): Promise<void> {
    const children = [...this.#children];
    for (const child of children) endChild(child);
    await Promise.all(children.map(child => once(child, 'close').catch(() => {})));
    await this.#shared.dispose();
  }

  #spawn(args: readonly string[]): ChildProcessWithoutNullStreams {
    const child = spawn('ssh', args, { stdio: 'pipe' });
    this.#children.add(child);
    child.on('close', () => this.#children.delete(child));
    child.stdin.on('error', () => {});
    return child;
  }
}

/** Ends an `ssh` at once. Its streams end too: that of the shared connection holds them open else. */
export function endChild(child: ChildProcessWithoutNullStreams): void {
  child.kill('SIGKILL');
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
}

const noTerminal = ['-T'];
