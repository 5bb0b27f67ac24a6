import { messageOf, SwarmError } from './errors.ts';

export const homeMissing = (instanceId: string, providerId: string) =>
  new SwarmError({
    family: 'state',
    code: 'home-missing',
    message: `The home of the instance "${instanceId}" is not on the provider "${providerId}".`,
    hint: 'Nothing was made. Restore a snapshot of it as a new instance, or delete it and create it anew.',
  });

/** `others`: how many more there are that could not be removed. */
export const homeNotRemoved = (path: string, reason: string, others: number, cause: unknown) =>
  new SwarmError({
    family: 'provider',
    code: 'home-not-removed',
    message: `"${path}"${others > 0 ? `, with ${others} more,` : ''} could not be removed: ${reason}.`,
    hint: 'Remove it by hand: what another user owns needs that user or root ("sudo rm -rf"), what is immutable needs "chattr -i" before. Or end what holds it. It is tried again; what was begun to be removed cannot be brought back.',
    cause,
  });

/** What a removal has begun with is whole no more, whoever asks for it. */
export const removalBegun = (instanceId: string, providerId: string) =>
  new SwarmError({
    family: 'state',
    code: 'removal-begun',
    message: `The removal of what "${providerId}" has of the instance "${instanceId}" was begun, and can only be ended.`,
    hint: 'Delete it permanently, or clean it up, so that the rest goes. Restore a snapshot to have its home back.',
  });

/** `digest` mismatch of a copy that nobody should have written to. */
export const copyNotWhole = (instanceId: string, providerId: string) =>
  new SwarmError({
    family: 'state',
    code: 'copy-not-whole',
    message: `What "${providerId}" keeps of the instance "${instanceId}" is not what its home was when it was put aside.`,
    hint: 'Nothing was changed. Compare it with the instance, take from it what you need, then clean it up; or restore a snapshot.',
  });

export const homesDiffer = (instanceId: string) =>
  new SwarmError({
    family: 'state',
    code: 'homes-differ',
    message: `The home of the instance "${instanceId}" is not the same at the target as at the source.`,
    hint: 'The source is as it was. Look at the disks and the connection of both providers, then plan it again.',
  });

export const homeTaskFailed = (instanceId: string, providerId: string, said: string) =>
  new SwarmError({
    family: 'provider',
    code: 'home-task-failed',
    message: `The home of the instance "${instanceId}" on "${providerId}" could not be read or written: ${said}.`,
    hint: 'Mend what it names: what its owner may not read needs "chmod u+r", and a folder "chmod u+rx"; a disk that is full needs room. Then try again. Nothing was lost.',
  });

export const homeStreamBroken = () =>
  new SwarmError({
    family: 'provider',
    code: 'home-stream-broken',
    message: 'What came of the home was cut off, or was not what was sent.',
    hint: 'Try again. Nothing was lost.',
    retryable: true,
  });

/** Seconds. */
export const homeSilent = (providerIds: readonly string[], silence: number) =>
  new SwarmError({
    family: 'provider',
    code: 'home-silent',
    message: `Nothing more came of the home on ${providerIds.map(id => `"${id}"`).join(' or ')} for ${silence} s.`,
    hint: 'A provider hangs, or the connection to it was lost. See that it answers, and try again. Nothing was lost.',
    retryable: true,
  });

export const homeNotAsKept = (instanceId: string) =>
  new SwarmError({
    family: 'state',
    code: 'home-not-as-kept',
    message: `The home of the instance "${instanceId}" is not the same as in the snapshot.`,
    hint: 'Something may still write into it, or a disk fails. Stop what writes, and try again; snapshots stay as they are.',
  });

export const restoreCutOff = (instanceId: string, reason: unknown) =>
  new SwarmError({
    family: 'state',
    code: 'restore-cut-off',
    message: `Bringing the home of the instance "${instanceId}" back was cut off, and cannot be gone on with (${messageOf(reason).replace(/\.$/, '')}): it may be empty, or only partly what the snapshot kept.`,
    hint: 'Restore a snapshot into it; the youngest of its own has what it was before. Or delete it, and restore the snapshot as a new instance.',
    cause: reason,
  });

export const homeNotKept = (instanceId: string, reason: unknown) =>
  new SwarmError({
    family: 'state',
    code: 'home-not-kept',
    message: `The home of the instance "${instanceId}" could not be kept before: ${messageOf(reason).replace(/\.$/, '')}.`,
    hint: 'Nothing was changed. Mend what it names; or a person may choose, with Recover, to go on without a snapshot.',
    cause: reason,
  });

export const failOverRefused = (instanceId: string, problem: string, hint: string) =>
  new SwarmError({
    family: 'state',
    code: 'fail-over-refused',
    message: `The instance "${instanceId}" cannot be failed over: ${problem}`,
    hint,
  });

export const snapshotNotFound = (snapshotId: string) =>
  new SwarmError({
    family: 'state',
    code: 'snapshot-not-found',
    message: `There is no snapshot "${snapshotId}".`,
    hint: 'Choose one of those that the command Restore Snapshot lists.',
  });

export const snapshotCutOff = (instanceId: string) =>
  new SwarmError({
    family: 'state',
    code: 'snapshot-cut-off',
    message: `The window that was taking a snapshot of the instance "${instanceId}" ended before all of it was kept.`,
    hint: 'Take it again.',
    retryable: true,
  });

/** `reserve` in bytes. */
export const noRoomForSnapshot = (reserve: number) =>
  new SwarmError({
    family: 'state',
    code: 'no-room-for-snapshot',
    message: `A snapshot would leave less than ${Math.round(reserve / 1024 ** 2)} MiB on the disk of the state directory.`,
    hint: 'Make room there, delete snapshots, or have them taken less often with remoteSwarm.snapshots.interval.',
  });

export const snapshotDamaged = (snapshotId: string, reason: unknown) =>
  new SwarmError({
    family: 'state',
    code: 'snapshot-damaged',
    message: `The snapshot "${snapshotId}" cannot be read: ${messageOf(reason)}.`,
    hint: 'Use another snapshot, and check the disk of the state directory.',
    cause: reason,
  });

export const snapshotsNotWritable = (directory: string, reason: unknown) =>
  new SwarmError({
    family: 'state',
    code: 'snapshots-not-writable',
    message: `The folder of snapshots cannot be written: "${directory}" (${messageOf(reason).replace(/\.$/, '')}).`,
    hint: 'See that it and the folders in it are directories that you may write to, on a disk that has room. Then try again.',
    retryable: true,
    cause: reason,
  });
