import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { messageOf } from '../model/errors.ts';
import type { AppendLog } from '../model/stateStore.ts';
import { flushDirectory } from './replaceFile.ts';

const fileName = /^(\d{4}-\d{2}-\d{2})-(.+)\.jsonl$/;

const today = () => new Date().toISOString().slice(0, 10);

/**
 * {@link AppendLog} over a folder: `<YYYY-MM-DD>-<writer>.jsonl`, days in UTC, mode 0600. `name` says to people who
 * writes; a random part makes a writer of it that no other process ever is, so that no two append to the same file. A
 * line that could not be written whole is taken back.
 */
export class FileAppendLog implements AppendLog {
  readonly #directory: string;
  readonly #writer: string;
  readonly #assertOpen: () => void;
  #day = '';
  #turn: Promise<void> = Promise.resolve();

  /** `assertOpen` throws while nothing may be added. */
  constructor(directory: string, name: string, assertOpen: () => void = () => {}) {
    this.#assertOpen = assertOpen;
    this.#directory = directory;
    this.#writer = `${encodeURIComponent(name)}-${randomUUID().slice(0, 8)}`;
  }

  append(line: string): Promise<void> {
    const turn = this.#turn.then(() => this.#write(line));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async readAll(): Promise<{ writer: string; lines: string[]; problem?: string }[]> {
    const writers = new Map<string, { writer: string; lines: string[]; problem?: string }>();
    for (const { name, writer } of await this.#files()) {
      const chain = writers.get(writer) ?? { writer, lines: [] };
      writers.set(writer, chain);
      try {
        chain.lines = chain.lines.concat(await this.#linesOf(name));
      } catch (error) {
        chain.problem = `${name}: ${messageOf(error)}`;
      }
    }
    return [...writers.values()];
  }

  async prune(days: number, note: Parameters<AppendLog['prune']>[1]): Promise<void> {
    const files = await this.#files();
    const kept = new Set([...new Set(files.map(({ day }) => day))].slice(-days));
    const going = files.filter(({ day }) => !kept.has(day));
    // A clock that is behind tells of no day that is over.
    if (going.length === 0 || today() < (files.at(-1)?.day ?? '')) return;
    this.#assertOpen();
    // Of what can't be read or removed nothing goes, and the rest is not held up.
    const read = going.map(async ({ name, writer }) => ({ name, writer, lines: await this.#linesOf(name) }));
    const readable = (await Promise.allSettled(read)).flatMap(each => (each.status === 'fulfilled' ? each.value : []));
    await note(readable);
    await Promise.allSettled(readable.map(({ name }) => rm(path.join(this.#directory, name), { force: true })));
  }

  /** The oldest first; files in order of their names are lines in order of their writing. */
  async #files(): Promise<{ name: string; day: string; writer: string }[]> {
    const names = await readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return names.sort().flatMap(name => {
      const [, day, writer] = fileName.exec(name) ?? [];
      return day === undefined || writer === undefined ? [] : [{ name, day, writer }];
    });
  }

  async #linesOf(name: string): Promise<string[]> {
    const lines = (await readFile(path.join(this.#directory, name), 'utf8')).split('\n');
    // What follows the last line feed is a line only when its writer was killed in the middle of it.
    if (lines.at(-1) === '') lines.pop();
    return lines;
  }

  async #write(line: string): Promise<void> {
    // Never back to an earlier day.
    if (today() > this.#day) this.#day = today();
    this.#assertOpen();
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const handle = await open(path.join(this.#directory, `${this.#day}-${this.#writer}.jsonl`), 'a', 0o600);
    try {
      const { size } = await handle.stat();
      try {
        await handle.appendFile(`${line}\n`);
        await handle.datasync();
      } catch (error) {
        await handle.truncate(size).catch(() => {});
        throw error;
      }
      if (size === 0) await flushDirectory(this.#directory);
    } finally {
      await handle.close();
    }
  }
}
