import {
  Epoch,
  Generation,
  InstanceId,
  InstanceIdentity,
  InstanceRole,
  type InstanceStatus,
  PinnedImage,
  type StopCause,
} from '../../model/instance.ts';
import type { InstanceObservation } from '../../model/provider.ts';
import { pinned } from '../pinnedImage.ts';
import type { Schemas } from './flyApi.ts';

/** Keys of a machine's metadata. */
export const label = {
  swarm: 'remote-swarm.swarm',
  instance: 'remote-swarm.instance',
  epoch: 'remote-swarm.epoch',
  generation: 'remote-swarm.generation',
  created: 'remote-swarm.created',
  owner: 'remote-swarm.owner',
  adopted: 'remote-swarm.adopted',
  /** Without the values of variables, which are nobody's business who may see machines. */
  config: 'remote-swarm.config',
  /** How many plain variables there are; releases before had them in the config instead. */
  variables: 'remote-swarm.variables',
  role: 'remote-swarm.role',
  mode: 'remote-swarm.mode',
} as const;

/** What a machine does when it starts: serve the editor, or only let its home be read and written. */
export type MachineMode = 'serve' | 'hold';

/** Names of apps are shared by all the world. */
export const appName = (instanceId: string) => `remote-swarm-${instanceId}`;
/** Whose app it is; undefined when it is none of ours. */
export const instanceOfApp = (app: string): string | undefined =>
  InstanceId.safeParse(app.replace(/^remote-swarm-/, '')).data;
export const machineName = 'instance';
/** Where Fly's API has a machine. */
export const machinePath = (instanceId: string, machineId: string) => ({
  app_name: appName(instanceId),
  machine_id: machineId,
});
/** A volume's name tells whose it is also when its machine is gone. */
export const volumeName = (swarmId: string) => `rs_${swarmId}`;

/** One of our machines, as Fly tells it. */
export interface InstanceMachine extends InstanceObservation {
  readonly machineId: string;
  /** Its version; another one after each update. */
  readonly version: string;
  readonly state: string;
  readonly mode: MachineMode;
  /** The very image that it runs, where that was told. */
  readonly pinnedImage?: string;
  /** Its host does not answer Fly: what is told of it is as old as its last answer, and not all of it is told. */
  readonly away: boolean;
  /** What is noted on it cannot be read, as when a later version has: nobody can tell what it is, and nothing is done to it. */
  readonly untold: boolean;
  readonly updatedAt: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a list and a get have in common. */
type Row = Pick<Schemas['OrgMachine'], 'id' | 'instance_id' | 'state' | 'created_at' | 'updated_at'> &
  Pick<Schemas['Machine'], 'host_status' | 'image_ref'> & {
    config?: { metadata?: Record<string, string>; image?: string };
    incomplete_config?: { metadata?: Record<string, string> };
  };

const { createdAt, swarmId } = InstanceIdentity.shape;

const isGone = (state: string | undefined) => state === 'destroyed' || state === 'replaced';

/** Pure: whether Fly can't tell now how it is. */
export const isAway = ({ state, host_status: host = 'ok', config }: Row): boolean =>
  !isGone(state) && (host !== 'ok' || config === undefined);

/**
 * Reads the row of a machine that is away, which is in the app of that instance. What the row lacks is as it was `known`
 * before, and without that the least that holds for it: whose volume it has.
 */
export function awayMachine(row: Row, id: string, known: InstanceMachine | { swarmId: string }): InstanceMachine {
  const { host_status: _host, incomplete_config: part, ...rest } = row;
  const told = readMachine({ ...rest, config: rest.config ?? part ?? {} });
  return {
    ...{ id, role: 'owner', epoch: 1, mode: 'serve', untold: false, metadata: {} },
    createdAt: createdAt.catch(new Date(0).toISOString()).parse(row.created_at),
    ...known,
    ...told,
    ...{ status: 'unknown', detail: 'the host that it lives on does not answer Fly.io', away: true },
    ...{ machineId: row.id ?? '', version: row.instance_id ?? '' },
    ...{ state: row.state ?? 'unknown', updatedAt: row.updated_at ?? '' },
  };
}

/** Reads a whole row; undefined when it is not ours, or no longer there. */
export function readMachine(row: Row): InstanceMachine | undefined {
  const metadata = row.config?.metadata ?? {};
  const id = InstanceId.safeParse(metadata[label.instance]).data;
  const swarm = swarmId.safeParse(metadata[label.swarm]).data;
  const role = InstanceRole.safeParse(metadata[label.role]).data;
  const state = row.state ?? 'unknown';
  const isOurs = metadata[label.swarm] !== undefined && metadata[label.role] !== undefined;
  if (!id || !isOurs || !row.id || isGone(state)) return undefined;
  const mode = metadata[label.mode] === 'hold' ? 'hold' : 'serve';
  const { image } = row.config ?? {};
  const digest = row.image_ref?.digest;
  const pinnedImage = image && digest ? PinnedImage.safeParse(pinned(image, digest)).data : undefined;
  const numberAt = (key: string, schema: typeof Epoch) =>
    metadata[key] === undefined ? undefined : schema.safeParse(Number(metadata[key]));
  const raised = numberAt(label.epoch, Epoch);
  const changed = numberAt(label.generation, Generation);
  const generation = changed?.data;
  const untold = swarm === undefined || role === undefined || raised?.success === false || changed?.success === false;
  return {
    id,
    swarmId: swarm ?? '',
    epoch: raised?.data ?? 1,
    ...(generation !== undefined && { generation }),
    createdAt: createdAt.catch(new Date(row.created_at ?? 0).toISOString()).parse(metadata[label.created]),
    role: role ?? 'owner',
    ...(untold ? unreadable : statusOf(state, role, mode)),
    machineId: row.id,
    version: row.instance_id ?? '',
    state,
    mode,
    ...(pinnedImage !== undefined && { pinnedImage }),
    away: false,
    untold,
    updatedAt: row.updated_at ?? '',
    metadata,
  };
}

const unreadable = { status: 'unknown', detail: 'what is noted on its machine cannot be read' } as const;

/** What Fly's state means. One that only lets its home be read is stopped: its editor does not run. */
function statusOf(state: string, role: InstanceRole, mode: MachineMode): { status: InstanceStatus; detail?: string } {
  if (role === 'removing') return { status: 'deleting' };
  if (role === 'trash') return { status: 'trashed' };
  switch (state) {
    case 'destroying':
      return { status: 'deleting' };
    case 'failed':
    case 'launch_failed':
      return { status: 'failed', detail: `Fly.io says ${state}` };
    case 'created':
      return { status: 'stopped', detail: 'never started' };
    case 'stopped':
      return { status: 'stopped' };
    case 'suspended':
      return { status: 'stopped', detail: 'suspended' };
  }
  if (mode === 'hold') return { status: 'stopped' };
  switch (state) {
    case 'started':
      return { status: 'running' };
    case 'creating':
    case 'starting':
    case 'restarting':
    case 'updating':
    case 'replacing':
      return { status: 'starting' };
    case 'stopping':
    case 'suspending':
      return { status: 'stopping' };
    default:
      return { status: 'unknown', detail: `Fly.io says ${state}` };
  }
}

/** How a machine ended, as its events tell it. */
interface ExitEvent {
  readonly requested_stop?: boolean;
  readonly oom_killed?: boolean;
  readonly exit_code?: number;
}

/** Pure: how a machine ended that was not asked to; undefined when it was. The latest event comes first. */
export function endOf(events: readonly Schemas['MachineEvent'][]): { cause: StopCause; detail: string } | undefined {
  const last = events.find(({ type }) => type === 'exit' || type === 'start' || type === 'launch');
  if (last?.type !== 'exit') return undefined;
  const { exit_event: exit } = (last.request ?? {}) as { exit_event?: ExitEvent };
  if (!exit || exit.requested_stop) return undefined;
  if (exit.oom_killed) return { cause: 'out-of-memory', detail: 'ran out of memory' };
  const cause = exit.exit_code === 126 || exit.exit_code === 127 ? 'bad-config' : 'exited';
  return { cause, detail: `exited with code ${exit.exit_code}` };
}
