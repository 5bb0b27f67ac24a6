import { Readable } from 'node:stream';

/** A piece of a process's output as Docker frames it: stream number, length, bytes. */
export interface Frame {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** Takes an engine's multiplexed stream apart, in whatever pieces it comes. A last frame that was cut is dropped. */
export async function* frames(source: Readable): AsyncGenerator<Frame> {
  let header = Buffer.alloc(0);
  let stream: Frame['stream'] = 'stdout';
  let left = 0;
  for await (const chunk of source) {
    let rest: Buffer = chunk;
    while (rest.length > 0) {
      if (left > 0) {
        const data = rest.subarray(0, left);
        left -= data.length;
        rest = rest.subarray(data.length);
        yield { stream, data };
        continue;
      }
      const missing = 8 - header.length;
      header = Buffer.concat([header, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (header.length < 8) break;
      stream = header[0] === 2 ? 'stderr' : 'stdout';
      left = header.readUInt32BE(4);
      header = Buffer.alloc(0);
    }
  }
}

/** The bytes of one of the two streams. */
export async function* streamOf(source: Readable, wanted: Frame['stream']): AsyncGenerator<Buffer> {
  for await (const { stream, data } of frames(source)) if (stream === wanted) yield data;
}

/** The lines of both streams in order of arrival; each stream's last line also without its line feed. */
export async function* linesOf(source: Readable): AsyncGenerator<string> {
  const rest = { stdout: '', stderr: '' };
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  for await (const { stream, data } of frames(source)) {
    const lines = (rest[stream] + decoders[stream].decode(data, { stream: true })).split('\n');
    rest[stream] = lines.pop() ?? '';
    for (const line of lines) yield line.replace(/\r$/, '');
  }
  for (const last of Object.values(rest)) if (last !== '') yield last;
}

/** The lines of a whole log. */
export async function linesIn(log: Buffer): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(Readable.from([log]))) lines.push(line);
  return lines;
}
