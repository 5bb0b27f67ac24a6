import { createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Endpoint } from '../../model/provider.ts';

/** A loopback port of this machine of which each connection is joined to a stream of its own. */
export class GatePort implements Endpoint {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #server: Server;
  readonly #streams: Set<Duplex>;

  private constructor(server: Server, streams: Set<Duplex>, port: number) {
    this.#server = server;
    this.#streams = streams;
    this.port = port;
  }

  static async open(reach: () => Promise<Duplex>): Promise<GatePort> {
    const streams = new Set<Duplex>();
    const keep = (stream: Duplex) => {
      streams.add(stream);
      stream.on('close', () => streams.delete(stream));
      stream.on('error', () => stream.destroy());
      return stream;
    };
    const server = createServer({ allowHalfOpen: true, noDelay: true }, async socket => {
      keep(socket);
      try {
        const there = keep(await reach());
        if (socket.destroyed) there.destroy();
        await Promise.all([pipeline(socket, there), pipeline(there, socket)]);
      } catch {
        // What goes wrong ends the connection, as it would on a network.
        socket.destroy();
      }
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    return new GatePort(server, streams, typeof address === 'object' && address ? address.port : 0);
  }

  dispose(): void {
    this.#server.close();
    for (const stream of this.#streams) stream.destroy();
  }
}
