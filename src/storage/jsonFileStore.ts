import { hash, randomUUID } from 'node:crypto';
import { readFile as callbackReadFile, mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { instanceBusy, invalidInput, lockLost, messageOf, newerState, stateUnavailable } from '../model/errors.ts';
import { type Disposable, Emitter } from '../model/event.ts';
import { type LockedContext, quietContext, withTimeout } from '../model/operationContext.ts';
import { problemsOf } from '../model/problemsOf.ts';
import type { LoadedRecords, Quarantined, RecordStore } from '../model/stateStore.ts';
import { unlessInUse } from './fileInUse.ts';
import { FileLock } from './fileLock.ts';
import { LockJudge } from './lockJudge.ts';
import { type ParsedRecord, parseRecord, type RecordSchema } from './parseRecord.ts';
import { quarantineFile } from './quarantineFile.ts';
import { flushDirectory, replaceFile } from './replaceFile.ts';
import { watchDirectory } from './watchDirectory.ts';

/** Files read at once. */
const readersAtOnce = 64;
/** Not `fs/promises`: its handles make small files four times as slow. */
const readFile = promisify(callbackReadFile);

/** Milliseconds to wait for other windows that write the same record; each needs a few. */
const patience = 30_000;

/** Milliseconds after which a temporary file is taken for what a killed process left behind. */
const leftoverAge = 60_000;

/**
 * {@link RecordStore} over a folder: `<id>.json` for each record, mode 0600, in a folder of mode 0700. Other names are
 * nobody's business here. Below the folder lie `quarantine/`, with the files that could not be read, and `locks/`, with
 * what exists only while something is written. Nothing is made before the first write or watch.
 *
 * Rejects with `newer-state` for a record that a later version of the extension wrote, `lock-lost` when a record was
 * changed or its lock taken over between reading and writing (semantics 30), `invalid-input` for a record out of its
 * schema, `state-unavailable` when the disk refuses, `instance-busy` when others never let go; in all cases the record
 * on disk is as it was.
 */
export class JsonFileStore<T extends { id: string; revision: number }> implements RecordStore<T> {
  readonly #directory: string;
  readonly #working: string;
  readonly #schema: RecordSchema<T>;
  readonly #schemaVersion: number;
  readonly #told: (unreadable: Quarantined) => void;
  readonly #judge: LockJudge;
  readonly #locks: FileLock;
  /** Digest of each file as this store loaded, wrote or told it; what differs was changed by others. */
  readonly #known = new Map<string, string>();
  readonly #changes = new Emitter<string>();
  #watchers = 0;
  #watch: Disposable | undefined;

  /** `told` hears of each file that turns out to be unreadable, whoever asked for it. */
  constructor(
    directory: string,
    schema: RecordSchema<T>,
    schemaVersion: number,
    told: (unreadable: Quarantined) => void = () => {},
    judge = new LockJudge(),
  ) {
    this.#judge = judge;
    this.#told = told;
    this.#directory = directory;
    this.#working = path.join(directory, 'locks');
    this.#schema = schema;
    this.#schemaVersion = schemaVersion;
    this.#locks = new FileLock(this.#working, judge);
  }

  fileOf(id: string): string {
    if (!this.#isId(id)) throw invalidInput('The id', [`${JSON.stringify(id)} cannot name a record`]);
    return path.join(this.#directory, `${id}.json`);
  }

  async load(): Promise<LoadedRecords<T>> {
    const records: T[] = [];
    const quarantined: Quarantined[] = [];
    const unread: string[] = [];
    const report = (unreadable: Quarantined) => {
      quarantined.push(unreadable);
      this.#told(unreadable);
    };
    await this.#sweep();
    const ids = await guard(this.#directory, () => this.#ids());
    await forEach(ids, async id => {
      try {
        const bytes = await bytesOf(this.fileOf(id));
        this.#remember(id, bytes);
        const record = bytes && (await this.#settled(id, bytes, report));
        if (record) records.push(record);
      } catch (error) {
        unread.push(id);
        report({ file: this.fileOf(id), reason: messageOf(error) });
      }
    });
    return { records, quarantined, unread };
  }

  async read(id: string): Promise<T | null> {
    const file = this.fileOf(id);
    return guard(this.#directory, async () => {
      const bytes = await bytesOf(file);
      return bytes && this.#settled(id, bytes);
    });
  }

  async update(id: string, change: (current: T | null) => T | null): Promise<T | null> {
    const file = this.fileOf(id);
    return guard(this.#directory, () =>
      this.#locked(id, async ({ lock }) => {
        const { bytes, record: current } = await this.#readLocked(id);
        const next = change(current);
        if (next === current) {
          this.#remember(id, bytes);
          return current;
        }
        const assertUnchanged = () => {
          lock.assertHeld();
          if (!sameBytes(bytesOfSync(file), bytes)) throw lockLost(id);
        };
        if (next === null) {
          await unlessInUse(() => {
            assertUnchanged();
            unlinkSync(file);
          });
          this.#remember(id, null);
          await flushDirectory(this.#directory);
          return null;
        }
        const record = this.#checked(id, { ...next, revision: (current?.revision ?? 0) + 1 });
        const text = `${JSON.stringify(record, null, 2)}\n`;
        await replaceFile(file, text, path.join(this.#working, `${id}.${randomUUID()}.tmp`), () => {
          assertUnchanged();
          this.#remember(id, Buffer.from(text));
        });
        return record;
      }),
    );
  }

  watch(changed: (id: string) => void): Disposable {
    if (this.#watchers === 0) {
      this.#makeDirectory();
      this.#watch = watchDirectory(this.#directory, names => void this.#tell(names));
    }
    this.#watchers += 1;
    const subscription = this.#changes.event(changed);
    let ended = false;
    return {
      dispose: () => {
        if (ended) return;
        ended = true;
        subscription.dispose();
        this.#watchers -= 1;
        if (this.#watchers === 0) this.#watch?.dispose();
      },
    };
  }

  #isId(id: string): boolean {
    return this.#schema.shape.id.safeParse(id).success;
  }

  #idOf(name: string): string[] {
    const id = path.basename(name, '.json');
    return id !== name && this.#isId(id) ? [id] : [];
  }

  async #ids(): Promise<string[]> {
    const names = await readdir(this.#directory).catch(absent);
    return names?.flatMap(name => this.#idOf(name)) ?? [];
  }

  #parse(id: string, bytes: Buffer): ParsedRecord<T> {
    return parseRecord(this.#schema, this.#schemaVersion, id, bytes);
  }

  /** The record in `bytes`; what cannot be read is looked at again under the lock, and then put into quarantine. */
  async #settled(id: string, bytes: Buffer, report = this.#told): Promise<T | null> {
    const parsed = this.#parse(id, bytes);
    if (parsed.kind === 'record') return parsed.record;
    if (parsed.kind === 'newer') throw newerState(this.fileOf(id), parsed.version);
    return this.#locked(id, async () => (await this.#readLocked(id, report)).record);
  }

  /** What is on disk, by whoever holds the record's lock. */
  async #readLocked(id: string, report = this.#told) {
    const file = this.fileOf(id);
    const bytes = await bytesOf(file);
    if (bytes === null) return { bytes, record: null };
    const parsed = this.#parse(id, bytes);
    if (parsed.kind === 'record') return { bytes, record: parsed.record };
    if (parsed.kind === 'newer') throw newerState(file, parsed.version);
    const quarantined = await quarantineFile(file);
    this.#remember(id, null);
    report({ file: quarantined, reason: parsed.problem });
    return { bytes: null, record: null };
  }

  async #locked<R>(id: string, work: (ctx: LockedContext) => Promise<R>): Promise<R> {
    const ctx = withTimeout(quietContext, patience);
    try {
      return await this.#locks.run(id, ctx, work);
    } catch (error) {
      throw error === ctx.signal.reason ? instanceBusy(id, 'another window is writing its state') : error;
    }
  }

  #checked(id: string, next: T): T {
    const { data, error } = this.#schema.safeParse(next, { reportInput: true });
    if (error) throw invalidInput(`The record of "${id}"`, problemsOf(error, 'record'));
    if (data.id !== id) throw invalidInput(`The record of "${id}"`, [`its id is "${data.id}"`]);
    return data;
  }

  #makeDirectory(): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw stateUnavailable(this.#directory, error);
    }
  }

  /** True when that is not what was known of the record. */
  #remember(id: string, bytes: Buffer | null): boolean {
    const known = this.#known.get(id);
    if (bytes === null) return this.#known.delete(id);
    const digest = hash('sha256', bytes, 'base64');
    this.#known.set(id, digest);
    return digest !== known;
  }

  async #tell(names: readonly string[] | undefined): Promise<void> {
    const ids = names?.flatMap(name => this.#idOf(name)) ?? [...this.#known.keys(), ...(await this.#ids())];
    await forEach([...new Set(ids)], async id => {
      const bytes = await bytesOf(this.fileOf(id)).catch(() => undefined);
      if (bytes !== undefined && this.#remember(id, bytes)) this.#changes.fire(id);
    });
  }

  /** Removes temporary files of processes that were killed while they wrote. They never held anything that was promised. */
  async #sweep(): Promise<void> {
    try {
      // Whoever writes there may live on another machine, and by another clock.
      this.#judge.assertOurs();
    } catch {
      return;
    }
    const names = await readdir(this.#working).catch(() => []);
    for (const name of names.filter(name => name.endsWith('.tmp'))) {
      const file = path.join(this.#working, name);
      const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }));
      if (Date.now() - mtimeMs > leftoverAge) await rm(file, { force: true }).catch(() => {});
    }
  }
}

/** Runs `work`; what the system refuses becomes `state-unavailable`. */
async function guard<R>(directory: string, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    const fromSystem = error instanceof Error && 'syscall' in error;
    throw fromSystem ? stateUnavailable(directory, error) : error;
  }
}

async function forEach<R>(items: readonly R[], work: (item: R) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: readersAtOnce }, worker));
}

/** For a rejected or thrown call: null when nothing is there, else thrown on. */
function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

function bytesOf(file: string): Promise<Buffer | null> {
  return readFile(file).catch(absent);
}

function bytesOfSync(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    return absent(error as NodeJS.ErrnoException);
  }
}

function sameBytes(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other);
}
