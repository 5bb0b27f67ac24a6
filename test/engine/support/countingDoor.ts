import { openPassingDoor, type PassingDoor } from './passingDoor.ts';

/** A request, by method and path, without ids and names; `at` by `performance.now()`. */
export interface Call {
  readonly kind: string;
  readonly at: number;
}

/** A socket through which an engine is reached, and that counts what is asked of it. */
export interface CountingDoor extends PassingDoor {
  /** Requests since the last {@link reset}. */
  readonly calls: readonly Call[];
  /** How many of each kind. */
  readonly counts: ReadonlyMap<string, number>;
  reset(): void;
}

export async function openCountingDoor(engineSocket: string, socket: string): Promise<CountingDoor> {
  const calls: Call[] = [];
  const counts = new Map<string, number>();
  const door = await openPassingDoor(engineSocket, socket, (method, url) => {
    const kind = kindOf(method, url);
    calls.push({ kind, at: performance.now() });
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return {};
  });
  return {
    ...door,
    calls,
    counts,
    reset: () => {
      calls.length = 0;
      counts.clear();
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
