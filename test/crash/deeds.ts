import type { SwarmController } from '../../src/core/swarmController.ts';
import { quietContext } from '../../src/model/operationContext.ts';

/** An operation of which each change may be the last one of the process that carries it out. */
export interface Deed {
  /** Who carries it out, if that is not Ada. */
  readonly state?: string;
  /** From an instance that runs to what the deed is told; `later` writes something else into its home. */
  prepare(controller: SwarmController, id: string, later: () => Promise<void>): Promise<string>;
  act(controller: SwarmController, told: string): Promise<unknown>;
}

const itself: Deed['prepare'] = async (_, id) => id;

const kept: Deed['prepare'] = async ({ snapshots }, id, later) => {
  const { id: told } = await snapshots.takeSnapshot(id, quietContext);
  await later();
  return told;
};

const migrated: Deed['prepare'] = async ({ migrations }, id) => {
  const plan = await migrations.createMigrationPlan(id, 'there');
  await migrations.startMigration(plan.id);
  return plan.id;
};

export const deeds: Readonly<Record<string, Deed>> = {
  trash: { prepare: itself, act: (controller, id) => controller.deleteInstance(id) },
  restore: {
    prepare: async (controller, id) => (await controller.deleteInstance(id)).id,
    act: (controller, id) => controller.restoreInstance(id),
  },
  adopt: { state: 'bob', prepare: itself, act: (controller, id) => controller.adoptInstance('here', id) },
  'delete permanently': { prepare: kept, act: controller => controller.purgeInstance(onlyOf(controller)) },
  'take a snapshot': { prepare: itself, act: ({ snapshots }, id) => snapshots.takeSnapshot(id, quietContext) },
  'reset to a snapshot': { prepare: kept, act: ({ snapshots }, id) => snapshots.resetToSnapshot(id, quietContext) },
  'restore a snapshot as a new instance': {
    prepare: kept,
    act: ({ snapshots }, id) => snapshots.restoreSnapshot(id, 'again', 'there', quietContext),
  },
  'forget a snapshot': { prepare: kept, act: ({ snapshots }, id) => snapshots.deleteSnapshot(id, quietContext) },
  'clean up a parked copy': { prepare: migrated, act: ({ migrations }, id) => migrations.cleanUp(id) },
  'roll back a parked copy': { prepare: migrated, act: ({ migrations }, id) => migrations.rollBack(id) },
};

const onlyOf = (controller: SwarmController) => controller.listInstances()[0]?.id ?? '';
