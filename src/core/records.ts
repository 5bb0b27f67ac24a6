import { messageOf, SwarmError } from '../model/errors.ts';
import { identityOf } from '../model/identityOf.ts';
import type {
  InstanceConfig,
  InstanceError,
  InstanceRecord,
  InstanceStatus,
  Owner,
  VSCodeInstance,
} from '../model/instance.ts';
import type { Claim, OperationContext } from '../model/operationContext.ts';
import { generationOf } from '../model/ownership.ts';
import type { InstanceSpec } from '../model/provider.ts';
import { onOneLine } from '../model/textCut.ts';

/** Characters of an error's message that a record keeps. */
const mostSaid = 1_000;

/** The time now, as records hold it. */
export const timestamp = () => new Date(Date.now()).toISOString();

/** The record with what was just seen of it; `statusSince` moves only when the status does. */
export function withStatus(
  record: InstanceRecord,
  seen: {
    status: InstanceStatus;
    detail?: string | undefined;
    port?: number | undefined;
    elsewhere?: string | undefined;
  },
): InstanceRecord {
  const { detail: _detail, port: _port, cause: _cause, elsewhere: _elsewhere, ...rest } = record;
  return {
    ...rest,
    status: seen.status,
    ...(seen.detail === undefined ? {} : { detail: seen.detail }),
    ...(seen.port === undefined ? {} : { port: seen.port }),
    ...(seen.elsewhere === undefined ? {} : { elsewhere: seen.elsewhere }),
    statusSince: record.status === seen.status ? record.statusSince : timestamp(),
  };
}

/** Where and of what an instance is made, for its provider. */
export const specOf = (record: InstanceRecord, secrets: InstanceSpec['secrets']): InstanceSpec => ({
  ...record.config,
  identity: identityOf(record),
  secrets,
  ...(record.pinnedImage !== undefined && { pinnedImage: record.pinnedImage }),
});

/** The record of what lives at another place from now on. What it is made of there, that place will tell. */
export function withoutPin({ pinnedImage: _, ...record }: InstanceRecord): InstanceRecord {
  return record;
}

/** Its copy at another place is of the same image where it has asked for one; each place has a default of its own. */
export const asCopied = (record: InstanceRecord): InstanceRecord =>
  record.config.image === undefined ? withoutPin(record) : record;

/** The record with what its provider says that it is made of. */
export const withPin = (
  record: InstanceRecord,
  { pinnedImage }: Pick<VSCodeInstance, 'pinnedImage'>,
): InstanceRecord => (pinnedImage === undefined ? record : { ...record, pinnedImage });

/** The context of what may have to get the image: with a person's credentials for one that a person chose. */
export const pulling = <C extends OperationContext>(
  ctx: C,
  { personsImages, config }: InstanceRecord,
  { image } = config,
): C => ({ ...ctx, pullsAsPerson: image !== undefined && (personsImages?.includes(image) ?? false) });

/** The context of a change of the instance, made for its owner as far as the record knows. */
export const claimed = <C extends OperationContext>(ctx: C, { swarmId, epoch, generation }: Claim): C => ({
  ...ctx,
  claim: { swarmId, epoch, generation },
});

/** What the record knew before the change of its instance's role that it has noted, and that is about to be made. */
export const beforeChange = (noted: InstanceRecord): InstanceRecord => ({
  ...noted,
  generation: generationOf(noted) - 1,
});

/** The record of what is not in the trash, or has just come there: its time begins anew. */
export function notKept({ trashedAt: _trashedAt, keptSince: _keptSince, ...record }: InstanceRecord): InstanceRecord {
  return record;
}

/** The record of one whose first start is not gone on with, if it had not ended. */
export const withoutSetup = (record: InstanceRecord): InstanceRecord =>
  record.setup?.status === 'pending'
    ? { ...record, setup: { status: 'failed', problems: ['The rest of its first start was cancelled.'] } }
    : record;

/** The record of what its provider has as it was asked for, or of which no more is asked. */
export const withoutWanted = ({ wanted: _wanted, renewsImage: _renews, ...record }: InstanceRecord): InstanceRecord =>
  record;

/** The record without the error of an earlier operation. */
export function withoutError(record: InstanceRecord): InstanceRecord {
  const { error: _error, ...rest } = record;
  return rest;
}

export const withError = (record: InstanceRecord, error: unknown): InstanceRecord => ({
  ...record,
  error: instanceError(error),
});

/** What a record keeps of a failure: never its cause chain, which may hold anything, and in one line of what others said. */
export function instanceError(error: unknown): InstanceError {
  const hint = error instanceof SwarmError ? error.hint : undefined;
  return {
    code: error instanceof SwarmError ? error.code : 'unexpected',
    message: onOneLine(messageOf(error), mostSaid),
    ...(hint === undefined ? {} : { hint }),
    at: timestamp(),
  };
}

/** What a new instance takes along beside its config. */
export interface AskedBeside {
  readonly restoring?: string | undefined;
  readonly personsImages: readonly string[];
}

/** What a person chooses who asks for an instance. */
export const chosenImages = ({ by }: OperationContext, { image }: InstanceConfig): string[] =>
  by?.caller === 'person' && image !== undefined ? [image] : [];

/**
 * The first record of an instance that was asked for, and is not made yet; `restoring`: for a snapshot's home,
 * `byPerson`: not by a program that decides by itself, `outside`: the repositories that its folder was agreed to be copied
 * with, `personsImages`: those that persons chose.
 */
export function asked(
  id: string,
  swarmId: string,
  owner: Owner,
  providerId: string,
  config: InstanceConfig,
  {
    restoring,
    byPerson,
    outside = [],
    personsImages,
  }: AskedBeside & { byPerson: boolean; outside?: readonly string[] | undefined },
): InstanceRecord {
  const now = timestamp();
  const needsSetup = config.source.kind !== 'empty' || config.extensions.length > 0;
  return {
    id,
    swarmId,
    epoch: 1,
    owner,
    createdAt: now,
    providerId,
    role: 'owner',
    config,
    status: 'creating',
    schemaVersion: 1,
    revision: 0,
    desired: 'running',
    statusSince: now,
    ...(restoring === undefined ? {} : { restoring }),
    ...(personsImages.length > 0 && { personsImages: [...personsImages] }),
    ...(needsSetup && {
      setup: {
        ...({ status: 'pending', problems: [] } as const),
        ...(byPerson && { askedByPerson: true }),
        ...(outside.length > 0 && { outside: [...outside] }),
      },
    }),
  };
}

/** The first record of an instance that was found on its provider: wanted is what is so. */
export function adopted(instance: VSCodeInstance): InstanceRecord {
  const trashed = instance.role === 'trash';
  const runs = instance.status === 'running' || instance.elsewhere !== undefined;
  return {
    ...instance,
    status: trashed ? 'trashed' : instance.status,
    schemaVersion: 1,
    revision: 0,
    desired: trashed ? 'trashed' : runs ? 'running' : 'stopped',
    statusSince: timestamp(),
    ...(trashed ? { trashedAt: timestamp() } : {}),
  };
}

/** The order of lists: by name, then id. */
export const byName = (a: InstanceRecord, b: InstanceRecord) =>
  a.config.name.localeCompare(b.config.name) || a.id.localeCompare(b.id);
