import type { OperationContext } from '../../model/operationContext.ts';
import type { FlyApi, Schemas } from './flyApi.ts';
import { isAbsent } from './flyErrors.ts';
import { appName, instanceOfApp, volumeName } from './instanceMachine.ts';

const prefix = volumeName('');
/** On their way out; Fly keeps them for a day, and nobody can use them. */
const leaving = ['scheduling_destroy', 'pending_destroy', 'destroying', 'destroyed'];

/** The volume of a home, as Fly tells it. */
export interface HomeVolume {
  readonly id: string;
  readonly instanceId: string;
  /** It binds its machine to it. */
  readonly region: string;
  readonly swarmId: string;
  readonly machineId: string | undefined;
  readonly bytesUsed: number | undefined;
  readonly sizeGb: number;
  /** Its host does not answer Fly. */
  readonly away: boolean;
}

/** Reads a row; undefined when it is no home of ours, or no longer one. */
function readVolume(row: Schemas['Volume'], app: string): HomeVolume | undefined {
  const { id, name, region = '', state = '', attached_machine_id: machineId } = row;
  const { bytes_used: bytesUsed, size_gb: sizeGb = 0, host_status: host = 'ok' } = row;
  const instanceId = instanceOfApp(app);
  if (!id || !instanceId || !name?.startsWith(prefix) || leaving.includes(state)) return undefined;
  const swarmId = name.slice(prefix.length);
  return { id, instanceId, region, swarmId, machineId, bytesUsed, sizeGb, away: host !== 'ok' };
}

/** The volumes in an instance's app: its home, if it has one. */
export async function volumesOf(api: FlyApi, instanceId: string, ctx: OperationContext): Promise<HomeVolume[]> {
  const app = appName(instanceId);
  try {
    const rows = await api.call('The list of volumes', ctx, (client, signal) =>
      client.GET('/apps/{app_name}/volumes', { params: { path: { app_name: app } }, signal }),
    );
    return rows.flatMap(row => readVolume(row, app) ?? []);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** All homes of an organization, of every swarm, page by page. */
export async function volumesIn(api: FlyApi, organization: string, ctx: OperationContext): Promise<HomeVolume[]> {
  const found: HomeVolume[] = [];
  for (let cursor: string | undefined; ; ) {
    const params = { path: { org_slug: organization }, query: cursor === undefined ? {} : { cursor } };
    const page = await api.call('The list of volumes', ctx, (client, signal) =>
      client.GET('/orgs/{org_slug}/volumes', { params, signal }),
    );
    found.push(...(page.volumes ?? []).flatMap(row => readVolume(row, row.app_name ?? '') ?? []));
    cursor = page.next_cursor || undefined;
    if (cursor === undefined) return found;
  }
}
