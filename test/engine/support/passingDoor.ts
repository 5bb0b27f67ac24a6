import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { json } from 'node:stream/consumers';
import { hijackTo } from './hijack.ts';

/** What a door makes of a request; what is not told stays as it was asked. */
export interface Passage {
  readonly url?: string;
  /** Of a body that is JSON. */
  readonly edit?: (body: Record<string, unknown>) => Record<string, unknown>;
  /** It goes no further, and this is the answer, as an engine gives it. */
  readonly refused?: string;
}

/** A socket through which an engine is reached. */
export interface PassingDoor {
  readonly host: string;
  close(): Promise<void>;
}

/** `judge` is called for each request, before it goes on. */
export async function openPassingDoor(
  engineSocket: string,
  socket: string,
  judge: (method: string, url: string) => Passage | Promise<Passage>,
): Promise<PassingDoor> {
  const pass = async (asked: IncomingMessage, answer: ServerResponse) => {
    const { method = 'GET', url: before = '/' } = asked;
    const { url = before, edit, refused } = await judge(method, before);
    if (refused !== undefined) {
      asked.resume();
      answer.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify({ message: refused }));
      return;
    }
    const body = edit && JSON.stringify(edit((await json(asked)) as Record<string, unknown>));
    const { 'transfer-encoding': _, ...headers } = asked.headers;
    const passed = request({
      ...{ socketPath: engineSocket, method, path: url },
      headers: body === undefined ? asked.headers : { ...headers, 'content-length': Buffer.byteLength(body) },
    });
    passed.on('response', from => {
      answer.writeHead(from.statusCode ?? 502, from.headers);
      // A stream that says nothing yet has to be seen to be open.
      answer.flushHeaders();
      from.pipe(answer);
      from.on('error', () => answer.destroy());
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    if (body === undefined) asked.pipe(passed);
    else passed.end(body);
  };
  // As an engine does it, no connection is closed because nothing was asked for a while, or because asking takes long.
  const lasting = { keepAliveTimeout: 0, requestTimeout: 0 };
  const server = createServer(lasting, (asked, answer) => void pass(asked, answer).catch(() => answer.destroy()));
  // Exec and attach take the connection over.
  const hijacked = new Set<Duplex>();
  const takeOver = async (asked: IncomingMessage, near: Duplex, head: Buffer) => {
    const { method = 'GET', url: before = '/' } = asked;
    const { url = before, refused } = await judge(method, before);
    if (refused !== undefined) {
      near.destroy();
      return;
    }
    const far = connect(engineSocket);
    hijackTo(far, url, asked, near, head);
  };
  server.on('upgrade', (asked, near, head) => {
    hijacked.add(near);
    near.on('close', () => hijacked.delete(near));
    void takeOver(asked, near, head).catch(() => near.destroy());
  });
  await new Promise<void>(resolve => server.listen(socket, resolve));
  return {
    host: `unix://${socket}`,
    close: async () => {
      for (const near of hijacked) near.destroy();
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
