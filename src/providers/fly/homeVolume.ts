import type { OperationContext } from '../../model/operationContext.ts';
import type { FlyApi, Schemas } from './flyApi.ts';
import { isAbsent } from './flyErrors.ts';
import { appName, volumeName } from './instanceMachine.ts';

const prefix = volumeName('');
/** On their way out; Fly keeps them for a day, and nobody can use them. */
const leaving = ['scheduling_destroy', 'pending_destroy', 'destroying', 'destroyed'];

/** The volume of a home, as Fly tells it. */
export interface HomeVolume {
  readonly id: string;
  /** It binds its machine to it. */
  readonly region: string;
  readonly swarmId: string;
  readonly machineId: string | undefined;
}

/** Reads a row; undefined when it is no home of ours, or no longer one. */
function readVolume({ id, name, region, state, attached_machine_id: machineId }: Schemas['Volume']) {
  if (!id || !name?.startsWith(prefix) || leaving.includes(state ?? '')) return undefined;
  return { id, region: region ?? '', swarmId: name.slice(prefix.length), machineId: machineId ?? undefined };
}

/** The volumes in an instance's app: its home, if it has one. */
export async function volumesOf(api: FlyApi, instanceId: string, ctx: OperationContext): Promise<HomeVolume[]> {
  try {
    const rows = await api.call('The list of volumes', ctx, (client, signal) =>
      client.GET('/apps/{app_name}/volumes', { params: { path: { app_name: appName(instanceId) } }, signal }),
    );
    return rows.flatMap(row => readVolume(row) ?? []);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
