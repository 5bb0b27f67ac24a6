import { watch } from 'node:fs';
import * as path from 'node:path';
import { LineReader } from '../../model/linesOf.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { InstanceLogs, LogOptions } from '../../model/provider.ts';
import { openPlainFile } from './plainFile.ts';

/** The variable that makes the launcher begin each line with the time, as a log file can't tell it otherwise. */
export const logTimes = 'REMOTE_SWARM_LOG_TIMES';

const mostBytes = 4 * 1024 * 1024;

/** The last lines of a log, without the token. `since` goes by the times in it; a line without one has that before it. */
export async function readLog(file: string, token: string, options: LogOptions): Promise<InstanceLogs> {
  const { bytes, cut } = await lastBytes(file);
  const reader = new LineReader();
  const lines = reader.take(bytes);
  const rest = reader.rest();
  if (rest !== '') lines.push(rest);
  // Of a line that begins before them only the end is there; all there is, when no other one does.
  if (cut && lines.length > 1) lines.shift();
  else if (cut) lines[0] = `…${lines[0]}`;
  return selectLines(redact(lines, token), cut, options);
}

/** Pure part of {@link readLog}. */
export function selectLines(lines: readonly string[], cut: boolean, { tail = 200, since }: LogOptions): InstanceLogs {
  const after = since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(since);
  let time = Number.NEGATIVE_INFINITY;
  const wanted = lines.filter(line => {
    const stamp = Date.parse(/^(\d{4}-\d\d-\d\dT[\d:.]+Z) /.exec(line)?.[1] ?? '');
    if (!Number.isNaN(stamp)) time = stamp;
    return since === undefined || time > after;
  });
  const kept = tail === 0 ? [] : wanted.slice(-tail);
  return { lines: kept, truncated: cut || kept.length < wanted.length };
}

/** Gives each line to `sink` that is written from now on, until the signal, or until `goesOn` says no. */
export async function followLog(
  file: string,
  token: string,
  sink: (line: string) => void,
  goesOn: () => Promise<boolean>,
  ctx: OperationContext,
): Promise<void> {
  const handle = await openPlainFile(file);
  let position = (await handle.stat()).size;
  const reader = new LineReader();
  let wake = () => {};
  const watcher = watch(path.dirname(file), () => wake());
  // A folder's watch tells of writes and of the end of most servers; the clock, of one that was killed.
  const clock = setInterval(() => wake(), 1_000);
  const abort = () => wake();
  ctx.signal.addEventListener('abort', abort, { once: true });
  const drain = async () => {
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(64 * 1024), { position });
      if (bytesRead === 0) return;
      position += bytesRead;
      for (const line of redact(reader.take(buffer.subarray(0, bytesRead)), token)) sink(line);
    }
  };
  try {
    while (!ctx.signal.aborted) {
      const woken = new Promise<void>(resolve => {
        wake = resolve;
      });
      const last = !(await goesOn());
      await drain();
      if (last) break;
      await woken;
    }
    ctx.signal.throwIfAborted();
  } finally {
    ctx.signal.removeEventListener('abort', abort);
    clearInterval(clock);
    watcher.close();
    await handle.close();
  }
}

/** The server itself never prints it, but `code serve-web` does. */
const redact = (lines: readonly string[], token: string) => lines.map(line => line.replaceAll(token.trim(), '***'));

async function lastBytes(file: string): Promise<{ bytes: Uint8Array; cut: boolean }> {
  const handle = await openPlainFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!handle) return { bytes: new Uint8Array(), cut: false };
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, mostBytes);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), { position: size - length });
    return { bytes: buffer.subarray(0, bytesRead), cut: size > length };
  } finally {
    await handle.close();
  }
}
