import type { InstanceRecord, InstanceStatus, Owner } from '../model/instance.ts';
import type { InstanceObservation } from '../model/provider.ts';
import type { ProviderState } from '../model/swarmStatus.ts';

export type Grouping = 'provider' | 'status' | 'none';
export type Sorting = 'name' | 'status' | 'created';

/** What the person chose to see; kept between sessions. */
export interface ViewChoice {
  readonly grouping: Grouping;
  readonly sorting: Sorting;
  /** Part of a name, a provider or a label's value, ignoring case; empty shows all. */
  readonly text: string;
  /** Empty shows all. */
  readonly statuses: readonly InstanceStatus[];
}

export const defaultChoice: ViewChoice = { grouping: 'provider', sorting: 'name', text: '', statuses: [] };

/** A resource with our labels that belongs to another swarm (semantics 1). */
export interface FoundResource {
  readonly providerId: string;
  readonly observation: InstanceObservation;
  /** What its own mark calls it, and whose it is, once that was read. */
  readonly name?: string;
  readonly owner?: Owner;
}

/** What the rows are made from. */
export interface TreeFacts {
  readonly records: readonly InstanceRecord[];
  readonly found: readonly FoundResource[];
  readonly providers: readonly ProviderState[];
  readonly choice: ViewChoice;
  /** Where instances are moving to, by their ids. */
  readonly moves?: ReadonlyMap<string, string>;
  /** What a home in the trash takes, where it is known. */
  bytesOf?(record: InstanceRecord): number | undefined;
  /** Whether one that does not run costs money where it is. */
  costsAtRest?(providerId: string): boolean;
}

/** What a row stands for. */
export type Node =
  | {
      readonly kind: 'instance';
      readonly record: InstanceRecord;
      readonly movingTo?: string | undefined;
      /** In the trash, what its home takes, where that is known. */
      readonly bytes?: number | undefined;
      readonly costsAtRest?: boolean | undefined;
    }
  | { readonly kind: 'found'; readonly found: FoundResource }
  /** `state` is missing when instances name a provider that the settings no longer hold. */
  | {
      readonly kind: 'provider';
      readonly id: string;
      readonly state: ProviderState | undefined;
      readonly count: number;
    }
  | { readonly kind: 'status'; readonly status: InstanceStatus; readonly count: number }
  | { readonly kind: 'foundGroup'; readonly count: number }
  /** Without a size: a group that is drawn again forgets its rows for a moment, and with them what a menu was for. */
  | { readonly kind: 'trashGroup'; readonly count: number };

/** The view's structure, by row ids. */
export interface InstanceTree {
  /** Empty when a welcome text is to be shown instead. */
  readonly roots: readonly string[];
  readonly nodes: ReadonlyMap<string, Node>;
  readonly children: ReadonlyMap<string, readonly string[]>;
  readonly shown: number;
  /** Instances that the filter hides. */
  readonly hidden: number;
}

export const instanceRowId = (id: string) => `instance:${id}`;
export const providerRowId = (id: string) => `provider:${id}`;
export const foundRowId = (found: FoundResource) => `found:${found.providerId}/${found.observation.id}`;
const statusRowId = (status: InstanceStatus) => `status:${status}`;
const foundGroupId = 'found';
const trashGroupId = 'trash';

/** Statuses in the order in which they want attention. */
export const statusOrder: readonly InstanceStatus[] = [
  'failed',
  'lost',
  'unknown',
  'creating',
  'starting',
  'running',
  'stopping',
  'stopped',
  'deleting',
  'trashed',
];

/** True when a person should look at the instance. */
export const isTroubled = (record: InstanceRecord) => record.status === 'failed' || record.status === 'lost';

/** True of what is in the trash, and of what goes there once its provider answers. What a person has to decide on is not. */
export const isInTrash = ({ status, desired, overruled }: InstanceRecord) =>
  status === 'trashed' || (status === 'unknown' && desired === 'trashed' && overruled === undefined);

/** True when the choice hides anything at all. */
export const isFiltered = (choice: ViewChoice) => choice.text.trim() !== '' || choice.statuses.length > 0;

function matcher({ text, statuses }: ViewChoice): (record: InstanceRecord) => boolean {
  const wanted = text.trim().toLocaleLowerCase();
  const holds = (value: string) => value.toLocaleLowerCase().includes(wanted);
  return ({ status, config, providerId }) =>
    (statuses.length === 0 || statuses.includes(status)) &&
    (wanted === '' || holds(config.name) || holds(providerId) || Object.values(config.metadata).some(holds));
}

/** For names as people sort them: without case and accents, and 2 before 10. */
function nameKey(name: string): string {
  const plain = /[^ -~]/.test(name) ? name.normalize('NFD').replace(/\p{M}/gu, '') : name;
  return plain.toLowerCase().replace(/\d+/g, digits => digits.padStart(12, '0'));
}

/** The records in the order of the choice. Keys are made once a record: ten thousand are sorted in milliseconds. */
function sorted(records: readonly InstanceRecord[], sorting: Sorting): InstanceRecord[] {
  const first: (record: InstanceRecord) => number =
    sorting === 'name'
      ? () => 0
      : sorting === 'status'
        ? ({ status }) => statusOrder.indexOf(status)
        : ({ createdAt }) => -Date.parse(createdAt);
  return records
    .map(record => ({ record, first: first(record), name: nameKey(record.config.name) }))
    .sort((a, b) => order(a.first, b.first) || order(a.name, b.name))
    .map(({ record }) => record);
}

const order = (a: string | number, b: string | number) => (a < b ? -1 : a > b ? 1 : 0);

/** True when nothing can be used before an editor server is installed: said once, by a welcome text. */
export const needsEditorServer = (providers: readonly ProviderState[]) =>
  providers.length > 0 && providers.every(state => !state.reachable && state.code === 'editor-server-missing');

/** Lays out the rows. An unreachable provider always has one; a reachable one when rows are grouped by provider. */
export function treeOf(facts: TreeFacts): InstanceTree {
  const { choice } = facts;
  const nodes = new Map<string, Node>();
  const children = new Map<string, string[]>();
  const shown = sorted(facts.records.filter(matcher(choice)), choice.sorting);

  const groups = new Map<string, string[]>();
  const empty = facts.records.length === 0 && facts.found.length === 0;
  for (const state of facts.providers) {
    const wanted = state.reachable
      ? choice.grouping === 'provider' && !empty && !isFiltered(choice)
      : !(empty && needsEditorServer(facts.providers));
    if (wanted) groups.set(providerRowId(state.id), []);
  }
  const ungrouped: string[] = [];
  const trash: string[] = [];
  for (const record of shown) {
    const id = instanceRowId(record.id);
    const bytes = record.status === 'trashed' ? facts.bytesOf?.(record) : undefined;
    const costsAtRest = facts.costsAtRest?.(record.providerId);
    nodes.set(id, { kind: 'instance', record, movingTo: facts.moves?.get(record.id), bytes, costsAtRest });
    if (isInTrash(record)) trash.push(id);
    else if (choice.grouping === 'none') ungrouped.push(id);
    else {
      const group = choice.grouping === 'provider' ? providerRowId(record.providerId) : statusRowId(record.status);
      const members = groups.get(group);
      if (members) members.push(id);
      else groups.set(group, [id]);
    }
  }

  const states = new Map(facts.providers.map(state => [providerRowId(state.id), state]));
  const addGroup = (id: string, members: string[], node: Node) => {
    children.set(id, members);
    nodes.set(id, node);
  };
  for (const status of statusOrder) {
    const members = groups.get(statusRowId(status));
    if (members) addGroup(statusRowId(status), members, { kind: 'status', status, count: members.length });
  }
  for (const [id, members] of groups) {
    if (!id.startsWith('provider:')) continue;
    const node: Node = { kind: 'provider', id: id.slice(9), state: states.get(id), count: members.length };
    addGroup(id, members, node);
  }
  const roots = [...children.keys(), ...ungrouped];
  if (facts.found.length > 0) {
    for (const found of facts.found) nodes.set(foundRowId(found), { kind: 'found', found });
    addGroup(foundGroupId, facts.found.map(foundRowId), { kind: 'foundGroup', count: facts.found.length });
    roots.push(foundGroupId);
  }
  if (trash.length > 0) {
    addGroup(trashGroupId, trash, { kind: 'trashGroup', count: trash.length });
    roots.push(trashGroupId);
  }

  return { roots, nodes, children, shown: shown.length, hidden: facts.records.length - shown.length };
}

/** The rows to draw again when `before` becomes `after`; `all` when the top level itself changed. */
export function changesBetween(before: InstanceTree, after: InstanceTree): 'all' | string[] {
  if (!sameItems(before.roots, after.roots)) return 'all';
  const changed: string[] = [];
  const compare = (id: string) => {
    const node = after.nodes.get(id);
    const members = after.children.get(id) ?? [];
    const regrouped = !sameItems(before.children.get(id) ?? [], members);
    if (regrouped || (node && !sameNode(before.nodes.get(id), node))) changed.push(id);
    // A group that is drawn again draws its members.
    if (!regrouped) for (const member of members) compare(member);
  };
  for (const id of after.roots) compare(id);
  return changed;
}

/** The group in which a row lies; undefined for the top level. */
export function parentOf(tree: InstanceTree, rowId: string): string | undefined {
  for (const [group, members] of tree.children) if (members.includes(rowId)) return group;
  return undefined;
}

const sameItems = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((item, index) => item === b[index]);

function sameNode(a: Node | undefined, b: Node): boolean {
  if (a?.kind !== b.kind) return false;
  if (a.kind === 'instance' && b.kind === 'instance') {
    return a.record === b.record && a.movingTo === b.movingTo && a.bytes === b.bytes && a.costsAtRest === b.costsAtRest;
  }
  return JSON.stringify(a) === JSON.stringify(b);
}
