import { providerRefused, unsupported } from '../../model/errors.ts';
import type { InstanceStatus, InstanceUpdate, VSCodeInstance } from '../../model/instance.ts';
import type { InstanceFolder } from './instanceFolders.ts';
import type { ServerState } from './serverProcess.ts';

/** What the server's state means for an instance in this role. */
export function statusOf({ role }: InstanceFolder, { status }: ServerState): InstanceStatus {
  if (role === 'removing') return 'deleting';
  if (role === 'trash') return 'trashed';
  return status === 'elsewhere' ? 'unknown' : status;
}

/** The instance in this folder, whose server is so. */
export function describeInstance(providerId: string, folder: InstanceFolder, state: ServerState): VSCodeInstance {
  const { identity, role, config } = folder;
  const instance = { ...identity, providerId, role, config, status: statusOf(folder, state) };
  if (state.status === 'running') return { ...instance, port: state.port };
  if (state.status === 'starting') return instance;
  if (state.status === 'elsewhere') return { ...instance, detail: `runs on ${state.host}`, elsewhere: state.host };
  const { detail, cause } = state;
  return { ...instance, ...(detail !== undefined && { detail }), ...(cause !== undefined && { cause }) };
}

/** Neither images nor limits exist here; what can't be kept is refused by the name of its field, never ignored. */
export function refuseUnsupported(providerId: string, { image, resources = {} }: InstanceUpdate): void {
  if (image !== undefined) throw unsupported(providerId, 'run an image ("image")');
  for (const [name, limit] of Object.entries(resources)) {
    if (limit !== undefined) throw unsupported(providerId, `limit resources ("resources.${name}")`);
  }
}

export const idTaken = (id: string) =>
  providerRefused(
    'id-taken',
    `The id "${id}" belongs to an instance of another swarm.`,
    'Try again; another id will be chosen.',
  );
