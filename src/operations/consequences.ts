import type { Swarm } from './swarm.ts';

/** What may be gone afterwards, in words for the page about security. */
export const losses = {
  nothing: 'nothing',
  processes: 'running processes and terminals',
  settings: 'its former name, image, limits, variables, ports, extensions, labels',
  outside: 'running processes, and what lies outside its home',
  files: 'whatever the command removes in its home',
  newer: 'what was written since',
  torn: 'files, if its server still runs there',
  home: 'all its files',
  everything: 'all its files and snapshots',
  copy: 'the parked copy',
  snapshot: 'the snapshot',
  entry: 'its row, and the values of its secret variables',
  control: 'the control that another swarm has of it',
  machine: 'the control that another machine has of the state',
  state: 'what this swarm knew of it, which is older',
} as const;

/** What may become known to whoever calls. */
export const revelations = {
  nothing: 'nothing',
  facts: 'names, states, providers',
  settings: 'its settings and plain variables, never a secret value',
  log: 'its log, secret values masked',
  files: 'files of its home, secret values masked',
  names: 'names of files of its home',
  folder: 'to the new instance: the repository, or the folder of this computer',
  address: 'to this window: its address, with its token',
} as const;

/** How a person takes it back. */
export const undoings = {
  nothing: 'nothing to undo',
  start: 'Start',
  stop: 'Stop',
  delete: 'Delete',
  restore: 'Restore, while it is in the trash: 7 days',
  changes: 'Undo Changes by Agents; a person’s own: change it again',
  back: 'Roll Back, while the old copy is kept: 24 hours',
  again: 'do it again',
  snapshot: 'reset to a snapshot: the last scheduled one, or your own',
  before: 'reset to the snapshot that is taken before',
  other: 'the other copy is kept',
  adopt: 'Adopt it there again',
  machine: 'Take Over on the other machine',
  found: 'Adopt what its provider shows again; not the secret values',
  never: 'nothing',
} as const;

export type Loss = keyof typeof losses;
export type Revelation = keyof typeof revelations;
/** `never`: then no program brings it about without a person who is asked, and it counts as a delete. */
export type Undoing = keyof typeof undoings;

/** What an operation does beyond the rest for some inputs. */
export interface Worse<Input> {
  readonly when: string;
  holds(input: Input, swarm: Swarm): boolean;
  readonly destroys: Loss;
  readonly undo: Undoing;
}
