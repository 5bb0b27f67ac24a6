import type { InstanceRecord, InstanceStatus } from '../model/instance.ts';
import { isInTrash } from './instanceTree.ts';
import { isStuck } from './rowTexts.ts';

/** What a person can do with one instance; each is a tag in its row's `contextValue`. */
export type InstanceAction =
  | 'open'
  | 'attach'
  | 'start'
  | 'stop'
  | 'restart'
  | 'terminal'
  | 'ports'
  | 'logs'
  | 'edit'
  | 'migrate'
  | 'snapshot'
  | 'goBack'
  | 'failOver'
  | 'delete'
  | 'restore'
  | 'purge'
  | 'forget'
  | 'followProvider'
  | 'followState'
  | 'takeOverInstance';

/** `goBack`: to one of its snapshots, which outlives what it is of. */
const actionsByStatus: Readonly<Record<InstanceStatus, readonly InstanceAction[]>> = {
  creating: ['logs', 'delete'],
  starting: ['stop', 'logs', 'delete'],
  running: [
    'open',
    'attach',
    'stop',
    'restart',
    'terminal',
    'ports',
    'logs',
    'edit',
    'migrate',
    'snapshot',
    'goBack',
    'delete',
  ],
  stopping: ['logs', 'delete'],
  stopped: ['start', 'logs', 'edit', 'migrate', 'snapshot', 'goBack', 'delete'],
  failed: ['start', 'logs', 'edit', 'goBack', 'delete'],
  deleting: ['forget'],
  trashed: ['restore', 'goBack', 'purge'],
  lost: ['goBack', 'delete', 'purge'],
  unknown: ['logs', 'takeOverInstance', 'failOver', 'goBack', 'delete'],
};

/** What providers can do beyond what every one can, asked by the provider's id. */
export interface ProviderTalents {
  canAttach(providerId: string): boolean;
}

/** Those that change nothing, and so do not wait for the end of a move. */
const looks: readonly InstanceAction[] = ['open', 'attach', 'terminal', 'ports', 'logs'];

/** The actions that make sense for an instance as it is now, where it is. */
export function actionsOf(
  record: InstanceRecord,
  talents: ProviderTalents,
  isMoving = false,
): readonly InstanceAction[] {
  const { status, providerId, overruled, elsewhere } = record;
  // Nothing else is done to it until a person has decided.
  if (overruled) return overruled.by === 'another' ? ['goBack', 'forget'] : ['followProvider', 'followState'];
  const actions = actionsByStatus[isInTrash(record) ? 'trashed' : status].filter(
    action => !isMoving || looks.includes(action),
  );
  // What is about to go is let go; what does not go can be forgotten.
  const can: Partial<Record<InstanceAction, boolean>> = {
    attach: talents.canAttach(providerId),
    forget: isStuck(record),
    takeOverInstance: elsewhere !== undefined,
  };
  return actions.filter(action => can[action] ?? true);
}
