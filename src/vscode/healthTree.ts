import type { HealthCheck, HealthCheckName, InstanceHealth } from '../model/health.ts';
import type { InstanceRecord } from '../model/instance.ts';

/** What a row of the view *Health* stands for. */
export type HealthNode =
  /** `health` is missing while it was not looked at yet. */
  | { readonly kind: 'instance'; readonly record: InstanceRecord; readonly health: InstanceHealth | undefined }
  /** `check` is missing when it was not made yet. */
  | { readonly kind: 'check'; readonly name: HealthCheckName; readonly check: HealthCheck | undefined }
  | { readonly kind: 'next'; readonly next: NonNullable<InstanceHealth['next']> }
  | { readonly kind: 'suspect'; readonly providerId: string; readonly reason: string };

/** What the rows are made from. */
export interface HealthFacts {
  readonly records: readonly InstanceRecord[];
  healthOf(instanceId: string): InstanceHealth | undefined;
  readonly suspects: readonly { readonly providerId: string; readonly reason: string }[];
}

/** The view's structure, by row ids. */
export interface HealthTree {
  readonly roots: readonly string[];
  readonly nodes: ReadonlyMap<string, HealthNode>;
  readonly children: ReadonlyMap<string, readonly string[]>;
}

export const healthRowId = (instanceId: string) => `health:${instanceId}`;

const checkNames: readonly HealthCheckName[] = ['provider', 'status', 'connectivity', 'resources'];

/** How an instance is shown: its health's status, or what outweighs it. */
export type HealthFace = InstanceHealth['status'] | 'crashLoop' | 'paused';

export function faceOf(health: InstanceHealth | undefined): HealthFace {
  if (health === undefined) return 'unknown';
  if (health.pausedSince !== undefined) return 'paused';
  return health.recovery.crashLoop ? 'crashLoop' : health.status;
}

/** Worst first. */
export const faceOrder: readonly HealthFace[] = [
  'crashLoop',
  'unhealthy',
  'degraded',
  'recovering',
  'unknown',
  'healthy',
  'paused',
];

/** True when something is wrong that a person should know of. */
export const isUnwell = (face: HealthFace) => face === 'crashLoop' || face === 'unhealthy' || face === 'degraded';

/** Those that are wanted running, and there is something to say of. */
export const isListed = ({ desired, status }: InstanceRecord, health: InstanceHealth | undefined) =>
  desired === 'running' && (health !== undefined || status === 'running');

/** Lays out the rows: what is suspect, then the instances, worst first, each over its four checks and what comes next. */
export function healthTreeOf({ records, healthOf, suspects }: HealthFacts): HealthTree {
  const nodes = new Map<string, HealthNode>();
  const children = new Map<string, string[]>();
  const roots: string[] = [];
  for (const suspect of suspects) {
    const id = `suspect:${suspect.providerId}`;
    nodes.set(id, { kind: 'suspect', ...suspect });
    roots.push(id);
  }
  const listed = records
    .map(record => ({ record, health: healthOf(record.id) }))
    .filter(({ record, health }) => isListed(record, health))
    .map(one => ({ ...one, rank: faceOrder.indexOf(faceOf(one.health)) }))
    .sort((a, b) => a.rank - b.rank || a.record.config.name.localeCompare(b.record.config.name));
  for (const { record, health } of listed) {
    const id = healthRowId(record.id);
    nodes.set(id, { kind: 'instance', record, health });
    roots.push(id);
    if (health) children.set(id, addDetails(nodes, health));
  }
  return { roots, nodes, children };
}

function addDetails(nodes: Map<string, HealthNode>, { id, checks, next }: InstanceHealth): string[] {
  const rows = checkNames.map(name => {
    const row = `check:${id}/${name}`;
    nodes.set(row, { kind: 'check', name, check: checks.find(check => check.name === name) });
    return row;
  });
  if (next === undefined) return rows;
  nodes.set(`next:${id}`, { kind: 'next', next });
  return [...rows, `next:${id}`];
}

/** The row over another one; undefined at the top level. */
export function healthParentOf({ nodes }: HealthTree, rowId: string): string | undefined {
  const [, instanceId] = /^(?:check|next):(\w+)/.exec(rowId) ?? [];
  return instanceId !== undefined && nodes.has(rowId) ? healthRowId(instanceId) : undefined;
}
