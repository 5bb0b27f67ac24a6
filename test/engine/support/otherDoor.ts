import { createServer, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { hijackTo } from './hijack.ts';

/** How another engine than the one behind the door answers; what is not said is passed on as it is. */
export interface Manners {
  /** Changes the JSON of a request to this method and path, or of its answer; the path is without a version. */
  readonly asks?: (asked: string, body: Json) => Json;
  readonly answers?: (asked: string, body: Json) => Json;
  /** Answers itself, with this text, instead of passing on. */
  readonly instead?: (asked: string) => string | undefined;
  readonly status?: (asked: string, status: number) => number;
  /** The oldest API that it has. */
  readonly oldest?: string;
  /** Milliseconds before its first answer. */
  readonly firstAfter?: number;
}

/** Whatever an engine says. */
// biome-ignore lint/suspicious/noExplicitAny: the shapes are another engine's.
type Json = any;

/** A socket behind which an engine answers as others do. */
export interface OtherDoor {
  readonly host: string;
  /** Methods and paths as they were asked for, with the version. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

export async function openOtherDoor(engineSocket: string, socket: string, manners: Manners): Promise<OtherDoor> {
  const asked: string[] = [];
  let isFirst = true;
  const open = new Set<{ destroy(): unknown }>();
  const handle = async (from: IncomingMessage) => {
    const { method = '', url = '' } = from;
    asked.push(`${method} ${url}`);
    const [, version, path = url] = /^\/v([\d.]+)(\/.*)$/.exec(url) ?? [];
    if (isFirst && manners.firstAfter !== undefined) await sleep(manners.firstAfter);
    isFirst = false;
    const what = `${method} ${path}`;
    const isTooOld =
      manners.oldest !== undefined &&
      version !== undefined &&
      version.localeCompare(manners.oldest, 'en', { numeric: true }) < 0;
    return { what, path, isTooOld, version };
  };
  const server = createServer((from, to) => {
    void (async () => {
      const { what, path, isTooOld, version } = await handle(from);
      const say = (status: number, text: string) =>
        to.writeHead(status, { 'content-type': 'application/json' }).end(text);
      if (isTooOld) {
        const message = `client version ${version} is too old. Minimum supported API version is ${manners.oldest}, please upgrade your client to a newer version`;
        return void say(400, JSON.stringify({ message }));
      }
      const instead = manners.instead?.(what);
      if (instead !== undefined) return void say(200, instead);
      const headers = { ...from.headers };
      const passed = request({ socketPath: engineSocket, method: from.method, path, headers });
      to.on('close', () => passed.destroy());
      passed.on('error', () => to.destroy());
      passed.on('response', answer => {
        const { statusCode = 502 } = answer;
        const status = manners.status?.(what, statusCode) ?? statusCode;
        const isJson = answer.headers['content-type'] === 'application/json' && !what.includes('/events');
        if (
          !manners.answers ||
          !isJson ||
          (answer.headers['transfer-encoding'] === 'chunked' && what.startsWith('POST'))
        ) {
          to.writeHead(status, answer.headers);
          to.flushHeaders();
          answer.pipe(to);
          return;
        }
        void buffer(answer).then(bytes => {
          const text = bytes.length === 0 ? '' : JSON.stringify(manners.answers?.(what, JSON.parse(bytes.toString())));
          to.writeHead(status, { 'content-type': 'application/json' }).end(text);
        });
      });
      if (!manners.asks || headers['content-type'] !== 'application/json') return void from.pipe(passed);
      const text = JSON.stringify(manners.asks(what, JSON.parse((await buffer(from)).toString())));
      passed.setHeader('content-length', Buffer.byteLength(text));
      passed.end(text);
    })().catch(() => to.destroy());
  });
  server.on('upgrade', (from, near, head) => {
    void handle(from).then(({ path }) => {
      const far = connect(engineSocket);
      open.add(near);
      near.on('close', () => open.delete(near));
      hijackTo(far, path, from, near, head);
    });
  });
  await new Promise<void>(resolve => server.listen(socket, resolve));
  return {
    ...{ host: `unix://${socket}`, asked },
    close: async () => {
      for (const near of open) near.destroy();
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
