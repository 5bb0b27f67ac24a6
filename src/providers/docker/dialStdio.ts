import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { Agent } from 'node:http';
import { Duplex } from 'node:stream';
import { providerRefused, providerUnreachable, SwarmError } from '../../model/errors.ts';
import { onOneLine } from '../../model/textCut.ts';
import { shellWord } from '../shellWord.ts';
import { type SshTarget, sshArguments } from '../sshArguments.ts';
import { sshProblem } from '../sshProblem.ts';

/** An engine that is reached through ssh. */
export interface FarEngine {
  readonly target: SshTarget;
  /** Its socket over there; else the one that docker's own command finds there. */
  readonly socket?: string | undefined;
}

/** Connections that stay open for the next question: each is a process here, and two on the host. */
const mostIdle = 2;
/** What is kept of what a connection says when it fails. */
const mostSaid = 4_000;

/** Arguments for `ssh` that join its standard streams with the engine; `connection` as {@link sshArguments} takes it. */
export function dialArguments({ target, socket }: FarEngine, connection: string): string[] {
  const at = socket === undefined ? '' : `--host ${shellWord(`unix://${socket}`)} `;
  return sshArguments(target, ['-T'], connection, `docker ${at}system dial-stdio`);
}

/**
 * Opens the connections of an HTTP client: each is one `ssh`, and at its other end docker's own way to its engine. No
 * port and no socket is forwarded, which a host may forbid, and for which a Windows path has no name.
 */
export class DialAgent extends Agent {
  readonly #providerId: string;
  readonly #engine: FarEngine;
  readonly #connection: string;
  readonly #open = new Set<Duplex>();

  constructor(providerId: string, engine: FarEngine, connection: string) {
    super({ keepAlive: true, maxFreeSockets: mostIdle });
    this.#providerId = providerId;
    this.#engine = engine;
    this.#connection = connection;
  }

  override createConnection(): Duplex {
    const child = spawn('ssh', dialArguments(this.#engine, this.#connection), { stdio: 'pipe' });
    const stream = new DialedStream(child, (said, code) => dialProblem(this.#providerId, this.#engine, said, code));
    this.#open.add(stream);
    stream.on('close', () => this.#open.delete(stream));
    return stream;
  }

  /** Ends every connection, those too that commands and tunnels have taken over. */
  override destroy(): void {
    super.destroy();
    for (const stream of this.#open) stream.destroy();
  }
}

/** The standard streams of a child, as a socket is for HTTP. Fails with `problem` when the child fails. */
class DialedStream extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(child: ChildProcessWithoutNullStreams, problem: (said: string, code: number | null) => SwarmError) {
    super();
    this.#child = child;
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-mostSaid);
    });
    child.stdin.on('error', () => {});
    child.stdout.on('data', chunk => {
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.on('error', error => this.destroy(problem(error.message, null)));
    child.on('close', code => {
      if (code === 0) this.push(null);
      else this.destroy(problem(said.trim(), code));
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    // What a child that is ending does not take is told by how it ends.
    this.#child.stdin.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#child.kill();
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream.destroy();
    done(error);
  }

  // What HTTP asks of a socket, and a child has not.
  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

/** Pure: words what a failed connection said: `ssh` where it is its own code, else docker's command over there. */
export function dialProblem(
  providerId: string,
  { target, socket }: FarEngine,
  said: string,
  code: number | null,
): SwarmError {
  const { host, user, port } = target;
  if (code === null || code === 255) return sshProblem(providerId, target, said || 'the connection was lost');
  const login = user === undefined ? host : `${user}@${host}`;
  const words = onOneLine(said, 300).replace(/\.$/, '') || `it ended with ${code}`;
  const at = `ssh://${login}${port === undefined ? '' : `:${port}`}`;
  const elsewhere = `A rootless engine's socket is named in the "endpoint", as ${at}/run/user/1000/docker.sock.`;
  if (code === 127 || /not found|unrecognized command/i.test(said)) {
    return providerRefused(
      'docker-command-missing',
      `${host} has no "docker" command for ${user ?? 'its user'}, through which its engine is reached: ${words}.`,
      `Install Docker's command line there, so that "ssh ${login} docker version" answers.`,
    );
  }
  if (/permission denied/i.test(said)) {
    return new SwarmError({
      family: 'permission',
      code: 'engine-permission',
      message: `${login} may not use the Docker engine there: ${words}.`,
      hint: `On ${host}, add the user to the engine's group ("sudo usermod -aG docker ${user ?? 'USER'}"), and sign in anew. ${elsewhere}`,
    });
  }
  if (/cannot connect|no such file|connection refused|is the docker daemon running/i.test(said)) {
    return providerUnreachable(
      providerId,
      `no Docker engine listens on ${host}${socket === undefined ? '' : ` at ${socket}`}: ${words}`,
      `Start it there ("sudo systemctl start docker"). ${elsewhere}`,
    );
  }
  return providerUnreachable(
    providerId,
    `"docker system dial-stdio" failed on ${host}: ${words}`,
    `Check that "ssh ${login} docker version" answers in a terminal.`,
  );
}
