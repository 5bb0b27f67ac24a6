import { type Duplex, Transform } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { providerUnreachable } from '../../model/errors.ts';
import type { CommandResult, ExecuteOptions, HomeProcess } from '../../model/provider.ts';
import { CappedOutput, defaultMostBytes, feed } from '../commandStreams.ts';
import { checkSaid, writerTo } from '../homeProgram.ts';
import { readAhead } from '../readAhead.ts';

const headSize = 5;
const codeSize = 4;
/** Far below what a gate takes, and far above what one sends. */
const mostContent = 1024 * 1024;
const mostSaid = 4_096;
/** How long a gate has to end what was given up. */
const endPatience = 5_000;

function frame(kind: string, content: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(headSize);
  head.write(kind, 'latin1');
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}

/**
 * Takes the frames of `media/instance/gate.mjs` out of what comes, however it was cut. Whoever works in the instance may
 * have put something else in the gate's place: a stream on which no such frames come is ended.
 */
export class FrameReader {
  readonly #stream: Duplex;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  take(chunk: Buffer): { kind: string; content: Buffer }[] {
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    const found: { kind: string; content: Buffer }[] = [];
    while (this.#waiting.length >= headSize) {
      const kind = String.fromCharCode(this.#waiting[0] ?? 0);
      const length = this.#waiting.readUInt32BE(1);
      if (kind === 'x' ? length !== codeSize : length > mostContent) {
        this.#stream.destroy(new Error('The gate sent what is no frame.'));
        break;
      }
      const end = headSize + length;
      if (this.#waiting.length < end) break;
      if (kind !== 'p') found.push({ kind, content: this.#waiting.subarray(headSize, end) });
      this.#waiting = this.#waiting.subarray(end);
    }
    return found;
  }
}

/** A program that a gate runs: its streams, told apart. */
export class GateProgram {
  readonly #stream: Duplex;
  /** What is written here is the program's input. */
  readonly input: Transform;

  constructor(stream: Duplex, argv: readonly string[], cwd: string) {
    this.#stream = stream;
    stream.write(frame('s', Buffer.from(JSON.stringify({ argv, cwd }))));
    this.input = new Transform({
      transform: (chunk: Buffer, _, done) => {
        for (let start = 0; start < chunk.length; start += mostContent)
          this.input.push(frame('i', chunk.subarray(start, start + mostContent)));
        done();
      },
      flush: done => done(null, frame('e')),
    });
    this.input.pipe(stream, { end: false });
    stream.on('close', () => this.input.destroy());
    this.input.on('error', () => {});
  }

  /** Ends it with all that it started. Never rejects. */
  async end(): Promise<void> {
    const closed = finished(this.#stream, { writable: false }).catch(() => {});
    this.input.destroy();
    if (this.#stream.writable) this.#stream.write(frame('k'));
    // Nobody reads any more: what still comes must not keep the end from being seen.
    this.#stream.resume();
    await Promise.race([closed, sleep(endPatience, undefined, { ref: false })]);
    this.#stream.destroy();
  }
}

/** Runs to the end. An abort ends it with all that it started, and rejects with the signal's reason after that. */
export async function runAtGate(
  providerId: string,
  stream: Duplex,
  argv: readonly string[],
  cwd: string,
  options: ExecuteOptions,
): Promise<CommandResult> {
  const { signal, stdin, maxOutputBytes = defaultMostBytes } = options;
  const program = new GateProgram(stream, argv, cwd);
  const output = { o: new CappedOutput(maxOutputBytes), r: new CappedOutput(maxOutputBytes) };
  const ended = Promise.withResolvers<number>();
  const reader = new FrameReader(stream);
  stream.on('data', (chunk: Buffer) => {
    for (const { kind, content } of reader.take(chunk)) {
      if (kind === 'o' || kind === 'r') output[kind].add(content);
      if (kind === 'x') ended.resolve(content.readUInt32BE(0));
    }
  });
  stream.on('close', () =>
    ended.reject(
      providerUnreachable(
        providerId,
        'the connection to a running command was lost',
        'It was ended there, if it could still be. Look at the instance before you try again.',
      ),
    ),
  );
  const abort = () => ended.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  feed(stdin, program.input).catch(ended.reject);
  try {
    signal.throwIfAborted();
    const exitCode = await ended.promise;
    const { o, r } = output;
    return { exitCode, stdout: o.text(), stderr: r.text(), truncated: o.truncated || r.truncated };
  } catch (error) {
    await program.end();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    stream.destroy();
  }
}

/** A program at work beside a home. */
export function homeAtGate(
  instanceId: string,
  providerId: string,
  stream: Duplex,
  argv: readonly string[],
  cwd: string,
): HomeProcess {
  const program = new GateProgram(stream, argv, cwd);
  const reader = new FrameReader(stream);
  let said = '';
  let signs = 0;
  const output = readAhead(stream, chunk => {
    const found = reader.take(chunk);
    signs += found.length;
    for (const { kind, content } of found) if (kind === 'r') said = (said + content.toString()).slice(-mostSaid);
    return found.filter(({ kind }) => kind === 'o').map(({ content }) => content);
  });
  const over = finished(stream, { writable: false }).catch(() => {});
  const done = over.then(() => checkSaid(instanceId, providerId, said));
  done.catch(() => {});
  return {
    output,
    write: writerTo(program.input),
    done,
    signs: () => signs,
    end: () => program.end(),
  };
}
