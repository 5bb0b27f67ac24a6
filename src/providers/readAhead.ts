import { finished, type Readable } from 'node:stream';

/** Bytes that may have come and wait for their reader; one read of the stream more at most. */
const mostWaiting = 256 * 1024;

/**
 * What comes of a stream from now on, a little ahead of its reader, since a stream that is read chunk by chunk costs far
 * more when they are small. `parts` is what a chunk has for the reader. Rejects when the stream broke.
 */
export function readAhead(source: Readable, parts: (chunk: Buffer) => readonly Buffer[]): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  let end: { readonly error: Error | null | undefined } | undefined;
  let wake = () => {};
  source.on('data', (chunk: Buffer) => {
    for (const part of parts(chunk)) {
      waiting.push(part);
      bytes += part.length;
    }
    if (bytes >= mostWaiting) source.pause();
    wake();
  });
  finished(source, { writable: false }, error => {
    end = { error };
    wake();
  });
  return (async function* () {
    for (;;) {
      const ready = waiting;
      waiting = [];
      bytes = 0;
      if (ready.length > 0) {
        source.resume();
        yield* ready;
      } else if (end) {
        if (end.error) throw end.error;
        return;
      } else {
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      }
    }
  })();
}
