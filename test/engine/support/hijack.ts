import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Joins a connection that an exec or an attach takes over with the engine behind a door. */
export function hijackTo(far: Socket, path: string, asked: IncomingMessage, near: Duplex, head: Buffer): void {
  const lines = asked.rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`));
  far.write(`${asked.method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  far.write(head);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.pipe(other);
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}
