import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { messageOf } from '../model/errors.ts';
import type { AppendLog } from '../model/stateStore.ts';
import { flushDirectory } from './replaceFile.ts';

const fileName = /^\d{4}-\d{2}-\d{2}-(.+)\.jsonl$/;

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
    for (const name of (await this.#names()).sort()) {
      const writer = fileName.exec(name)?.[1];
      if (writer === undefined) continue;
      const chain = writers.get(writer) ?? { writer, lines: [] };
      writers.set(writer, chain);
      try {
        const lines = (await readFile(path.join(this.#directory, name), 'utf8')).split('\n');
        // What follows the last line feed is a line only when its writer was killed in the middle of it.
        if (lines.at(-1) === '') lines.pop();
        chain.lines = chain.lines.concat(lines);
      } catch (error) {
        chain.problem = `${name}: ${messageOf(error)}`;
      }
    }
    return [...writers.values()];
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  async #write(line: string): Promise<void> {
    // Never back to an earlier day: files in order of their names are lines in order of their writing.
    const today = new Date().toISOString().slice(0, 10);
    if (today > this.#day) this.#day = today;
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
