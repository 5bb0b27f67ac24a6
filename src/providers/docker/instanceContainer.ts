import type Dockerode from 'dockerode';
import type { InstanceIdentity, InstanceRole, InstanceStatus, StopCause } from '../../model/instance.ts';
import { InstanceIdentity as Identity, InstanceId, PinnedImage, InstanceRole as Role } from '../../model/instance.ts';
import { generationOf } from '../../model/ownership.ts';
import type { InstanceObservation } from '../../model/provider.ts';

/** Labels of everything that is ours; they carry identity only, since they can't change (semantics 2). */
export const label = {
  swarm: 'remote-swarm.swarm',
  instance: 'remote-swarm.instance',
  epoch: 'remote-swarm.epoch',
  created: 'remote-swarm.created',
  /** Only on containers that are thrown away after a look into an image. */
  check: 'remote-swarm.check',
  /** Only on volumes that hold an editor server for images without one; its value tells who made it. */
  runtime: 'remote-swarm.runtime',
} as const;

/** Port of the editor server inside its container. */
export const serverPort = 8080;

export const volumeName = (instanceId: string) => `remote-swarm-${instanceId}`;

/** What a container's name tells of its instance, since it can change: labels tell who made it. */
export type ContainerTitle = Pick<InstanceIdentity, 'id' | 'swarmId' | 'epoch' | 'generation'>;

/** The owner is part of it once anything of that has changed: then labels do not tell it any more. */
export const containerName = ({ id, swarmId, epoch, generation }: ContainerTitle, role: InstanceRole): string =>
  `remote-swarm-${id}--${role}${generation ? `--${generation}-${epoch}-${swarmId}` : ''}`;
/** The name of a container that another is about to replace, on the same volume. */
export const replacedName = (title: ContainerTitle) => `${containerName(title, 'owner')}-replaced`;

/** As much as `Epoch` and `Generation` allow. */
const number = '([1-9]\\d{0,11})';
const titledName = new RegExp(
  `^remote-swarm-([a-z0-9]{12})--(${Role.options.join('|')})(?:--${number}-${number}-([a-z0-9]{16}))?(-replaced)?$`,
);

/** Reads what {@link containerName} or {@link replacedName} made; undefined for any other name. */
export function readName(
  name: string,
): (Partial<ContainerTitle> & { id: string; role: InstanceRole; replaced: boolean }) | undefined {
  const [, id, word, generation, epoch, swarmId, aside] = titledName.exec(name) ?? [];
  const role = Role.safeParse(word).data;
  const replaced = aside !== undefined;
  if (id === undefined || role === undefined || (replaced && role !== 'owner')) return undefined;
  if (swarmId === undefined) return { id, role, replaced };
  return { id, role, replaced, generation: Number(generation), epoch: Number(epoch), swarmId };
}

export function labelsOf({ id, swarmId, epoch, createdAt }: InstanceIdentity): Record<string, string> {
  return {
    [label.swarm]: swarmId,
    [label.instance]: id,
    [label.epoch]: String(epoch),
    [label.created]: createdAt,
  };
}

/** One of our containers, as the engine's list tells it. */
export interface InstanceContainer extends InstanceObservation {
  readonly containerId: string;
  readonly name: string;
  /** The very image that it was made of. */
  readonly pinnedImage: string | undefined;
  readonly state: string;
  /** Whether it is only kept until the container that replaces it has started. */
  readonly replaced: boolean;
  /** Whether the engine tells by no name what it is: while it is removed, or when somebody has renamed it. */
  readonly untold: boolean;
}

const { epoch, createdAt } = Identity.shape;

/**
 * Reads a row of the list; undefined when it is not ours. The list is all a fleet view needs, and unlike an inspect it
 * never waits for a container's lock.
 */
export function readContainer(row: Dockerode.ContainerInfo): InstanceContainer | undefined {
  const labels = row.Labels ?? {};
  const id = InstanceId.safeParse(labels[label.instance]).data;
  if (id === undefined) return undefined;
  // An engine has no name left for what it removes; its list has null then.
  const name = row.Names?.[0]?.replace(/^\//, '') ?? '';
  const told = readName(name);
  const untold = told?.id !== id;
  // An image that was made of an instance's container gives its labels to others, which have not its home.
  if (untold && !row.Mounts?.some(({ Name }) => Name === volumeName(id))) return undefined;
  const named: NonNullable<ReturnType<typeof readName>> =
    told?.id === id ? told : { id, role: 'owner', replaced: false };
  const { role, replaced, generation } = named;
  const port = row.Ports?.find(({ PrivatePort, PublicPort }) => PrivatePort === serverPort && PublicPort)?.PublicPort;
  return {
    id,
    swarmId: named.swarmId ?? labels[label.swarm] ?? '',
    epoch: named.epoch ?? epoch.catch(1).parse(Number(labels[label.epoch])),
    ...(generation !== undefined && { generation }),
    createdAt: createdAt.catch(new Date(row.Created * 1000).toISOString()).parse(labels[label.created]),
    role,
    ...(untold ? unknownBy(name) : statusOf(row, role)),
    ...(row.State === 'running' && port !== undefined && { port }),
    containerId: row.Id,
    name,
    // A name without a digest may lead elsewhere now.
    pinnedImage: PinnedImage.safeParse(row.Image.includes('@') ? row.Image : row.ImageID).data,
    state: row.State,
    replaced,
    untold,
  };
}

const unknownBy = (name: string) => ({
  status: 'unknown' as const,
  detail: name === '' ? 'the engine has no name for its container' : `the engine calls its container "${name}"`,
});

/** What the engine's state means. A paused container is stopped: nothing in it runs. */
function statusOf(
  { State, Status }: Pick<Dockerode.ContainerInfo, 'State' | 'Status'>,
  role: InstanceRole,
): { status: InstanceStatus; detail?: string } {
  if (role === 'removing') return { status: 'deleting' };
  if (role === 'trash') return { status: 'trashed' };
  if (State === 'running') return { status: 'running' };
  if (State === 'paused') return { status: 'stopped', detail: 'paused' };
  if (State === 'created') return { status: 'stopped', detail: 'never started' };
  if (State === 'restarting') return { status: 'starting' };
  if (State === 'removing') return { status: 'deleting' };
  if (State === 'dead') return { status: 'failed', detail: 'The engine could not remove it' };
  const exitCode = /^Exited \((\d+)\)/.exec(Status)?.[1];
  // 143 is what a polite stop leaves behind.
  return exitCode === undefined || exitCode === '0' || exitCode === '143'
    ? { status: 'stopped' }
    : { status: 'stopped', detail: `exited with code ${exitCode}` };
}

/** What an engine's inspect tells of an end. */
export type ContainerEnd = Pick<Dockerode.ContainerInspectInfo['State'], 'Status' | 'ExitCode' | 'OOMKilled'>;

/**
 * Pure: why a container does not run. Undefined when it was never started, and for the codes that a stop leaves behind,
 * polite (143, or 0) or forced (137): an engine does not tell who ended it. The engine notes that memory ran out also
 * when only something else inside was ended for it, so that the server's own code counts too.
 */
export function causeOf({ Status, ExitCode, OOMKilled }: ContainerEnd): StopCause | undefined {
  if (Status !== 'exited' && Status !== 'created' && Status !== 'dead') return undefined;
  if (OOMKilled && ExitCode === 137) return 'out-of-memory';
  // What a shell answers for a program that is not there or can't be run; the engine, and its init, do the same.
  if (ExitCode === 126 || ExitCode === 127) return 'bad-config';
  return [0, 137, 143].includes(ExitCode) ? undefined : 'exited';
}

/**
 * Of the containers of one instance the one that stands for it: the owner after the latest change. The others are
 * leftovers of a replacement; one of which nobody can tell that stands for all, as it may be the instance itself.
 */
export function primaryOf(containers: readonly InstanceContainer[]): InstanceContainer | undefined {
  const latest = containers.toSorted((a, b) => b.epoch - a.epoch || generationOf(b) - generationOf(a));
  return (
    latest.find(({ untold }) => untold) ??
    latest.find(({ role, replaced }) => role === 'owner' && !replaced) ??
    latest.find(({ role }) => role === 'trash') ??
    latest[0]
  );
}
