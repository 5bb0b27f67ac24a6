import { createServer, request } from 'node:http';

/** A socket through which an engine is reached, and that counts what is asked of it. */
export interface CountingDoor {
  readonly host: string;
  /** Requests since the last {@link reset}, by method and path, without ids and names. */
  readonly counts: ReadonlyMap<string, number>;
  reset(): void;
  close(): Promise<void>;
}

/** For plain calls and streams; it passes no hijacked connections, as exec and attach need. */
export async function openCountingDoor(engineSocket: string, socket: string): Promise<CountingDoor> {
  const counts = new Map<string, number>();
  const server = createServer((asked, answer) => {
    const kind = kindOf(asked.method ?? '', asked.url ?? '');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
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
  await new Promise<void>(resolve => server.listen(socket, resolve));
  return {
    host: `unix://${socket}`,
    counts,
    reset: () => counts.clear(),
    close: async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** A list also by what it is filtered for. */
function kindOf(method: string, address: string): string {
  const url = new URL(address, 'http://engine');
  const place = url.pathname
    .replace(/^\/v[\d.]+/, '')
    .replace(/^\/(containers|volumes|images)\/(?!json$|create$)[^/]+/, '/$1/*');
  const [label] = /remote-swarm\.\w+/.exec(url.searchParams.get('filters') ?? '') ?? [];
  return [method, place, ...(label !== undefined ? [label] : [])].join(' ');
}
