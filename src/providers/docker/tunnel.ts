import { createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { quietContext } from '../../model/operationContext.ts';
import type { Endpoint } from '../../model/provider.ts';
import { startExec } from './containerExec.ts';
import { node } from './containerSpec.ts';
import type { DockerEngine } from './dockerEngine.ts';
import { streamOf } from './frames.ts';

/**
 * Runs inside: one connection to a port there, IPv4 or else IPv6, joined to the standard streams. It ends when the
 * application has said all, as its standard output can't be closed alone; what a client says last still gets there. It
 * ends too when the client is gone and the application silent for half a minute: one that hangs would collect them.
 */
const relay = `
const { connect } = require('net');
const port = Number(process.argv[1]);
const join = host => {
  const socket = connect({ host, port });
  process.stdin.on('end', () => socket.setTimeout(30_000, () => process.exit(1)));
  socket.on('connect', () => { process.stdin.pipe(socket); socket.pipe(process.stdout, { end: false }); });
  socket.on('error', () => (host === '::1' || socket.bytesRead ? process.exit(1) : join('::1')));
  socket.on('end', () => process.stdout.write('', () => process.exit(0)));
};
join('127.0.0.1');`;

/** A loopback port of this machine that leads, connection by connection, through the engine to a port in a container. */
export class Tunnel implements Endpoint {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>, port: number) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = port;
  }

  static async open(engine: DockerEngine, containerId: string, port: number): Promise<Tunnel> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      void carry(engine, containerId, port, socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    return new Tunnel(server, sockets, typeof address === 'object' && address ? address.port : 0);
  }

  dispose(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Never rejects: what goes wrong ends the connection, as it would on a network. */
async function carry(engine: DockerEngine, containerId: string, port: number, socket: Socket): Promise<void> {
  try {
    const exec = await startExec(engine, containerId, [node, '-e', relay, String(port)], quietContext);
    socket.on('close', () => exec.stream.destroy());
    if (socket.destroyed) exec.stream.destroy();
    await Promise.all([
      pipeline(socket, exec.stream, { end: true }),
      pipeline(streamOf(exec.stream, 'stdout'), socket),
    ]);
  } catch {
    socket.destroy();
  }
}
