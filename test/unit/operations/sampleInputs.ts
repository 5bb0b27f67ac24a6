import { idOf, migrationIdOf } from './fakeSwarm.ts';

const inputs: Record<string, Record<string, unknown>> = {
  list_swarm_instances: {},
  get_swarm_instance: { instanceId: idOf(1) },
  create_swarm_instance: { name: 'fresh' },
  update_swarm_instance: { instanceId: idOf(1), name: 'renamed' },
  get_swarm_status: {},
  get_instance_logs: { instanceId: idOf(1) },
  run_in_instance: { instanceId: idOf(1), command: 'true' },
  recover_instance: { instanceId: idOf(1) },
  recreate_without_snapshot: { instanceId: idOf(1), reason: 'The disk is full.' },
  create_migration_plan: { instanceId: idOf(1), targetProvider: 'local' },
  start_migration: { migrationId: migrationIdOf(idOf(1)) },
  cancel_migration: { migrationId: migrationIdOf(idOf(1)) },
  get_migration_status: { migrationId: migrationIdOf(idOf(1)) },
  clean_up_migration: { migrationId: migrationIdOf(idOf(1)) },
  roll_back_migration: { migrationId: migrationIdOf(idOf(1)) },
  compare_parked_copy: { migrationId: migrationIdOf(idOf(1)) },
  list_migrations: {},
  pause_instance_monitoring: { instanceIds: [idOf(1)], paused: true },
  adopt_swarm_instance: { found: [{ providerId: 'docker', instanceId: idOf(2) }] },
  open_swarm_instance: { instanceId: idOf(1) },
  remove_swarm: {},
  forget_swarm_instance: { instanceIds: [idOf(1)] },
  remove_stray_home: { homes: [{ providerId: 'docker', instanceId: idOf(2), sizeGb: 3 }] },
  empty_trash: { instanceId: idOf(1) },
  take_snapshot: { instanceId: idOf(1) },
  take_scheduled_snapshot: { instanceId: idOf(1) },
  restore_snapshot: { snapshotId: idOf(1), name: 'again' },
  reset_to_snapshot: { snapshotId: idOf(1) },
  fork_instance: { instanceId: idOf(1), name: 'twin' },
  fail_over_instance: { instanceId: idOf(1), targetProvider: 'local' },
  delete_snapshot: { snapshotId: idOf(1) },
  undo_agent_changes: { instanceId: idOf(1) },
};

/** A valid input of an operation, about instance 1 and nothing that is optional. */
export const inputOf = (operation: string): Record<string, unknown> => inputs[operation] ?? { instanceIds: [idOf(1)] };
