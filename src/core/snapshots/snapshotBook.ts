import { isAbort, SwarmError } from '../../model/errors.ts';
import type { HomeFacts } from '../../model/homeArchive.ts';
import { snapshotCutOff, snapshotNotFound } from '../../model/homeErrors.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import { type LockedContext, type OperationContext, uncancelled, underLock } from '../../model/operationContext.ts';
import type { FailedSnapshot, Snapshot, SnapshotKind, SnapshotRecord } from '../../model/snapshot.ts';
import type { KeyedLock, ObserverLease } from '../../model/stateStore.ts';
import { Backoff } from '../backoff.ts';
import { randomId } from '../instanceId.ts';
import type { ObservedTime } from '../observedTime.ts';
import { instanceError, timestamp } from '../records.ts';
import { isCounted } from '../retention.ts';
import type { SecretMasks } from '../secretMasks.ts';
import type { SharedRecords } from '../sharedRecords.ts';
import type { HomeKeeper } from './homeKeeper.ts';

/** The archive is changed by one at a time, so that nobody tidies it up while something is kept in it. */
const archive = 'snapshots';

export interface SnapshotBookOptions {
  readonly records: SharedRecords<SnapshotRecord>;
  readonly keeper: Pick<HomeKeeper, 'forget'>;
  readonly locks: KeyedLock;
  readonly lease: ObserverLease;
  readonly time: ObservedTime;
  readonly masks: SecretMasks;
}

/**
 * What the archive has: each home has its record before the first byte of it is kept, and until the last one is gone. What
 * a window that has ended left in between, the observer removes from the archive.
 */
export class SnapshotBook {
  readonly #options: SnapshotBookOptions;
  readonly #backoff = new Backoff();
  readonly #disposed = new AbortController();
  #settling: Promise<void> | undefined;

  constructor(options: SnapshotBookOptions) {
    this.#options = options;
  }

  load(): Promise<void> {
    return this.#options.records.load();
  }

  /** Of homes that are kept, the youngest first. */
  list(instanceId?: string): Snapshot[] {
    return this.#of(instanceId).filter(isKept);
  }

  /** Of homes that could not be kept, the last try of each instance, unless one was kept since. */
  failed(instanceId?: string): FailedSnapshot[] {
    const tried = this.#of(instanceId).filter(record => isKept(record) || isFailed(record));
    const last = Map.groupBy(tried, each => each.instanceId).values();
    return [...last].flatMap(([youngest]) => (youngest && isFailed(youngest) ? [youngest] : []));
  }

  get(snapshotId: string): Snapshot | undefined {
    const record = this.#options.records.get(snapshotId);
    return record && isKept(record) ? record : undefined;
  }

  /**
   * Keeps the home of an instance as `read` takes it into the archive. What fails there is in the list of what failed;
   * what was cancelled leaves nothing.
   */
  keep(
    { id: instanceId, config, status }: InstanceRecord,
    kind: SnapshotKind,
    ctx: OperationContext,
    read: (
      snapshot: { readonly id: string; readonly base: string | undefined },
      ctx: LockedContext,
    ) => Promise<HomeFacts & { readonly added: number }>,
  ): Promise<Snapshot> {
    const { locks, records, time } = this.#options;
    return locks.run(archive, ctx, async ctx => {
      const id = randomId(12);
      const [base] = this.list(instanceId);
      // Also after what failed in the same millisecond: the youngest tells how it stands.
      const last = this.#of(instanceId)[0]?.takenAt;
      const write = (id: string, next: SnapshotRecord | null) =>
        records.update(
          id,
          underLock(ctx, () => next),
        );
      for (const failed of this.#of(instanceId).filter(isCleared)) await write(failed.id, null);
      const begun = {
        id,
        schemaVersion: 1,
        revision: 0,
        instanceId,
        config,
        kind,
        live: status === 'running',
        ...(kind === 'before' && ctx.by?.caller !== 'person' && { automatic: true }),
      } as const;
      await write(id, { ...begun, takenAt: timeAfter(last) });
      try {
        const { digest, bytes, files, added } = await read({ id, base: base?.id }, ctx);
        const keptSince = time.now();
        const kept = {
          ...{ takenAt: timeAfter(last), digest, bytes, files, added },
          ...(keptSince !== undefined && { keptSince }),
        };
        const change = (current: SnapshotRecord | null) => current && { ...current, ...kept };
        const written = await records.update(id, underLock(ctx, change));
        if (!written || !isKept(written)) throw snapshotNotFound(id);
        return written;
      } catch (error) {
        await this.#fail(begun, error, uncancelled(ctx)).catch(() => {}); // The observer does it.
        throw error;
      }
    });
  }

  /** For good, and what no other one needs of them. */
  forget(ids: readonly string[], ctx: OperationContext): Promise<void> {
    const { locks, records } = this.#options;
    return locks.run(archive, ctx, async ctx => {
      for (const id of ids)
        await records.update(
          id,
          underLock(ctx, current => current && { ...withoutError(current), removingSince: timestamp() }),
        );
      await this.#end(ids, ctx);
    });
  }

  /** All that there is of an instance. */
  async forgetInstance(instanceId: string, ctx: OperationContext): Promise<void> {
    const ids = this.#of(instanceId).map(({ id }) => id);
    if (ids.length > 0) await this.forget(ids, ctx);
  }

  /** What the observer does now and then: ends what is unfinished. Never rejects. */
  settle(): Promise<void> {
    this.#settling ??= this.#settleDue().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  dispose(): void {
    this.#disposed.abort();
    this.#options.records.dispose();
  }

  async #settleDue(): Promise<void> {
    const { locks, lease, records } = this.#options;
    await this.#beginTimes();
    const isDue = lease.isHeld() && records.list().some(isLeft) && this.#backoff.isDue(archive);
    if (!isDue || (await locks.isHeld(archive))) return;
    const ctx = { signal: this.#disposed.signal, report: () => {} };
    const work = () => locks.run(archive, ctx, own => this.#settle(own));
    await this.#backoff.run(archive, work).catch(() => {});
  }

  #of(instanceId: string | undefined): SnapshotRecord[] {
    return this.#options.records
      .list()
      .filter(snapshot => instanceId === undefined || snapshot.instanceId === instanceId)
      .sort((a, b) => b.takenAt.localeCompare(a.takenAt) || a.id.localeCompare(b.id));
  }

  /** What another window has kept begins to be counted. What can't be written waits. */
  async #beginTimes(): Promise<void> {
    const { records, time } = this.#options;
    const now = time.now();
    if (now === undefined) return;
    const isNew = (record: SnapshotRecord) => isKept(record) && !isCounted(record.keptSince, now);
    for (const { id } of records.list().filter(isNew))
      await records
        .update(id, current => (current && isNew(current) ? { ...current, keptSince: now } : current))
        .catch(() => {});
  }

  async #settle(ctx: LockedContext): Promise<void> {
    const { records } = this.#options;
    const ids: string[] = [];
    for (const { id } of records.list().filter(isLeft)) {
      const change = (current: SnapshotRecord | null) =>
        current && isCutOff(current) ? begunToGo(current, instanceError(snapshotCutOff(current.instanceId))) : current;
      if ((await records.update(id, underLock(ctx, change)))?.removingSince !== undefined) ids.push(id);
    }
    if (ids.length > 0) await this.#end(ids, ctx);
  }

  async #fail(
    { id, instanceId }: Pick<SnapshotRecord, 'id' | 'instanceId'>,
    error: unknown,
    ctx: LockedContext,
  ): Promise<void> {
    if (error instanceof SwarmError && error.code === 'lock-lost') return;
    const why = isAbort(error) ? undefined : instanceError(this.#options.masks.of(instanceId).error(error));
    await this.#options.records.update(
      id,
      underLock(ctx, current => current && begunToGo(current, why)),
    );
    await this.#end([id], ctx);
  }

  /** Of what is begun to be removed nothing is left but, of what failed, why. */
  async #end(ids: readonly string[], ctx: LockedContext): Promise<void> {
    const { keeper, records } = this.#options;
    ctx.lock.assertHeld();
    await keeper.forget(ids);
    for (const id of ids) {
      const change = (current: SnapshotRecord | null) => (current?.error ? withoutRemoval(current) : null);
      await records.update(id, underLock(ctx, change));
    }
  }
}

const isKept = (record: SnapshotRecord): record is Snapshot =>
  record.digest !== undefined &&
  record.bytes !== undefined &&
  record.files !== undefined &&
  record.added !== undefined &&
  record.removingSince === undefined;

/** Whether the archive may still have something of it, or not. */
const isFailed = (record: SnapshotRecord): record is FailedSnapshot => record.error !== undefined;

/** It failed, and the archive has nothing of it. */
const isCleared = (record: SnapshotRecord) => isFailed(record) && record.removingSince === undefined;

/** Whether the archive may have something of it that is not used, or is kept just now. */
const isLeft = (record: SnapshotRecord) => !isKept(record) && !isCleared(record);

/** Whether nothing more comes of it, when nobody is at work on the archive. */
const isCutOff = (record: SnapshotRecord) => isLeft(record) && record.removingSince === undefined;

const begunToGo = (record: SnapshotRecord, error: SnapshotRecord['error']): SnapshotRecord => ({
  ...record,
  ...(error && { error }),
  removingSince: timestamp(),
});

const withoutError = ({ error: _error, ...record }: SnapshotRecord): SnapshotRecord => record;

const withoutRemoval = ({ removingSince: _since, ...record }: SnapshotRecord): SnapshotRecord => record;

/** Now, or right after `before`: a clock that was set back makes nothing older than what it follows. */
const timeAfter = (before: string | undefined) =>
  new Date(Math.max(Date.now(), before === undefined ? 0 : Date.parse(before) + 1)).toISOString();
