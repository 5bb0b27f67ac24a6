import { connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Endpoint } from '../../model/provider.ts';
import { forwardRefusal } from './hostDoors.ts';
import type { LastingLink } from './lastingLink.ts';
import type { SshConnection } from './sshConnection.ts';

/** A loopback port of this machine that leads to one of a host. What carries it may be lost: it is opened anew at need. */
export class ForwardedPort implements Endpoint {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  readonly #way: LastingLink;

  private constructor(server: Server, sockets: Set<Socket>, way: LastingLink, port: number) {
    this.#server = server;
    this.#sockets = sockets;
    this.#way = way;
    this.port = port;
  }

  /** Rejects when the host can't be reached. */
  static async open(connection: SshConnection, remotePort: number): Promise<ForwardedPort> {
    const way = connection.forward(remotePort);
    await way.get();
    const sockets = new Set<Socket>();
    const keep = (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      return socket;
    };
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => void carry(keep(socket), way, keep));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    return new ForwardedPort(server, sockets, way, typeof address === 'object' && address ? address.port : 0);
  }

  /** The words by which the host has refused to lead there, once somebody has tried. */
  async refusal(): Promise<string | undefined> {
    return forwardRefusal((await this.#way.get()).said);
  }

  dispose(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    void this.#way.dispose();
  }
}

/** Never rejects: what goes wrong ends the connection, as it would on a network. */
async function carry(socket: Socket, way: LastingLink, keep: (socket: Socket) => Socket): Promise<void> {
  try {
    const there = keep(connect({ path: (await way.get()).socketPath, allowHalfOpen: true }));
    await Promise.all([pipeline(socket, there), pipeline(there, socket)]);
  } catch {
    socket.destroy();
  }
}
