import { createServer, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { hijackTo } from './hijack.ts';

/** A request, by method and path, without ids and names; `at` by `performance.now()`. */
export interface Call {
  readonly kind: string;
  readonly at: number;
}

/** A socket through which an engine is reached, and that counts what is asked of it. */
export interface CountingDoor {
  readonly host: string;
  /** Requests since the last {@link reset}. */
  readonly calls: readonly Call[];
  /** How many of each kind. */
  readonly counts: ReadonlyMap<string, number>;
  reset(): void;
  close(): Promise<void>;
}

export async function openCountingDoor(engineSocket: string, socket: string): Promise<CountingDoor> {
  const calls: Call[] = [];
  const counts = new Map<string, number>();
  const note = ({ method = '', url = '' }: IncomingMessage) => {
    const kind = kindOf(method, url);
    calls.push({ kind, at: performance.now() });
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  };
  const server = createServer((asked, answer) => {
    note(asked);
    const passed = request({
      socketPath: engineSocket,
      method: asked.method,
      path: asked.url,
      headers: asked.headers,
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
    asked.pipe(passed);
  });
  // Exec and attach take the connection over.
  const hijacked = new Set<Duplex>();
  server.on('upgrade', (asked, near, head) => {
    note(asked);
    const far = connect(engineSocket);
    hijackTo(far, asked.url ?? '', asked, near, head);
    hijacked.add(near);
    near.on('close', () => hijacked.delete(near));
  });
  await new Promise<void>(resolve => server.listen(socket, resolve));
  return {
    host: `unix://${socket}`,
    calls,
    counts,
    reset: () => {
      calls.length = 0;
      counts.clear();
    },
    close: async () => {
      for (const near of hijacked) near.destroy();
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** A list also by what it is filtered for: a label, or one value of it. */
function kindOf(method: string, address: string): string {
  const url = new URL(address, 'http://engine');
  const place = url.pathname
    .replace(/^\/v[\d.]+/, '')
    .replace(/^\/(containers|volumes|images|exec)\/(?!json$|create$)[^/]+/, '/$1/*');
  const [label] = /remote-swarm\.\w+=?/.exec(url.searchParams.get('filters') ?? '') ?? [];
  return [method, place, ...(label !== undefined ? [label.replace('=', '=*')] : [])].join(' ');
}
