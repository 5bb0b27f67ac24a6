import { providerUnreachable } from '../../src/model/errors.ts';
import type { MigrationStrategy } from '../../src/model/migration.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { looked, type StallWorld, type Window } from './stallWorld.ts';

/** What is acted on; without an id, the first one that there is. */
export interface Told {
  readonly id?: string;
}

/** What a window does that may be stopped on its way, or another one meanwhile. */
export interface Act {
  readonly name: string;
  /** What may be gone for good then. */
  readonly removes?: 'instance' | 'copy';
  do(window: Window, id: string, world: StallWorld): Promise<unknown>;
}

export const agent = { ...quietContext, by: { caller: 'agent', actor: 'a model' } } as const;

const newest = ({ controller }: Window, id: string): string =>
  controller.migrations.listMigrations().find(({ instanceId }) => instanceId === id)?.id ?? 'none';

const snapshotOf = ({ controller }: Window, id: string): string =>
  controller.snapshots.listSnapshots(id).at(-1)?.id ?? 'none';

const elsewhere = ({ controller }: Window, id: string) =>
  controller.getInstance(id).providerId === 'here' ? 'there' : 'here';

const migrating = (strategy: MigrationStrategy) => async (window: Window, id: string) => {
  const { migrations } = window.controller;
  const plan = await migrations.createMigrationPlan(id, elsewhere(window, id), strategy);
  return migrations.startMigration(plan.id);
};

export const acts = {
  create: { name: 'create', do: ({ controller }) => controller.createInstance({ name: 'web' }, 'here') },
  createFilled: {
    name: 'create from a repository',
    do: ({ controller }) =>
      controller.createInstance(
        { name: 'web', extensions: ['a.b'], source: { kind: 'git', url: 'https://example.org/web' } },
        'here',
      ),
  },
  start: { name: 'start', do: ({ controller }, id) => controller.startInstance(id) },
  stop: { name: 'stop', do: ({ controller }, id) => controller.stopInstance(id) },
  forceStop: { name: 'force stop', do: ({ controller }, id) => controller.stopInstance(id, true) },
  restart: { name: 'restart', do: ({ controller }, id) => controller.restartInstance(id) },
  trash: { name: 'delete', do: ({ controller }, id) => controller.deleteInstance(id) },
  restore: { name: 'restore', do: ({ controller }, id) => controller.restoreInstance(id) },
  purge: {
    ...{ name: 'delete permanently', removes: 'instance' },
    do: ({ controller }, id) => controller.purgeInstance(id),
  },
  rename: { name: 'rename', do: ({ controller }, id) => controller.updateInstance(id, { name: 'site' }) },
  update: {
    name: 'change a secret',
    do: ({ controller }, id) =>
      controller.updateInstance(id, { secretEnv: ['KEY'], env: { A: '1' } }, quietContext, { KEY: 'other' }),
  },
  updateByAgent: {
    name: 'change by an agent',
    do: ({ controller }, id) => controller.updateInstance(id, { env: { A: '2' } }, agent),
  },
  undoAgents: { name: 'undo what agents changed', do: ({ controller }, id) => controller.undoAgentChanges(id) },
  recover: { name: 'recover', do: ({ controller }, id) => controller.recoverInstance(id) },
  recreate: { name: 'make anew', do: ({ controller }, id) => controller.recoverInstance(id, 'recreate') },
  refuge: { name: 'recover elsewhere', do: ({ controller }, id) => controller.recoverInstance(id, 'migrate') },
  plan: {
    name: 'plan a migration',
    do: (window, id) => window.controller.migrations.createMigrationPlan(id, elsewhere(window, id)),
  },
  migrate: { name: 'migrate', do: migrating('stop-and-recreate') },
  migrateLive: { name: 'migrate, running', do: migrating('create-then-stop') },
  cancel: {
    name: 'cancel a migration',
    do: (window, id) => window.controller.migrations.cancelMigration(newest(window, id)),
  },
  rollBack: { name: 'roll back', do: (window, id) => window.controller.migrations.rollBack(newest(window, id)) },
  cleanUp: {
    ...{ name: 'clean up', removes: 'copy' },
    do: (window, id) => window.controller.migrations.cleanUp(newest(window, id)),
  },
  compare: {
    name: 'compare with the parked copy',
    do: (window, id) => window.controller.migrations.compareParked(newest(window, id)),
  },
  keep: { name: 'take a snapshot', do: ({ controller }, id) => controller.snapshots.takeSnapshot(id, quietContext) },
  reset: {
    name: 'reset to a snapshot',
    do: (window, id) => window.controller.snapshots.resetToSnapshot(snapshotOf(window, id), quietContext),
  },
  restoreSnapshot: {
    name: 'restore a snapshot',
    do: (window, id) =>
      window.controller.snapshots.restoreSnapshot(snapshotOf(window, id), 'copy', 'there', quietContext),
  },
  fork: {
    name: 'fork',
    do: ({ controller }, id) => controller.snapshots.forkInstance(id, 'fork', 'here', quietContext),
  },
  forget: {
    ...{ name: 'forget a snapshot', removes: 'copy' },
    do: (window, id) => window.controller.snapshots.deleteSnapshot(snapshotOf(window, id), quietContext),
  },
  failOver: {
    name: 'fail over',
    do: (window, id) => window.controller.snapshots.failOver(id, elsewhere(window, id), quietContext),
  },
  adopt: {
    name: 'adopt',
    do: ({ controller }, id) => {
      const found = controller.listFound()[0];
      return controller.adoptInstance(found?.providerId ?? 'here', found?.observation.id ?? id);
    },
  },
  takeOver: { name: 'take over what its place says', do: ({ controller }, id) => controller.ownership.takeOver(id) },
  insist: { name: 'insist on the record', do: ({ controller }, id) => controller.ownership.insist(id) },
  takeFrom: { name: 'take from another machine', do: ({ controller }, id) => controller.ownership.takeFrom(id) },
  leave: { name: 'leave', removes: 'instance', do: ({ controller }, id) => controller.strayHomes.leave(id) },
  removeStray: {
    ...{ name: 'remove a stray home', removes: 'instance' },
    do: ({ controller }, id) => controller.strayHomes.remove('here', id),
  },
  look: { name: 'look and settle', do: window => looked(window) },
} as const satisfies Readonly<Record<string, Act>>;

export const away = (place: string) => providerUnreachable(place, 'connection refused', 'Start it and try again.');
