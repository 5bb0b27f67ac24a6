import { watch } from 'node:fs';
import { open } from 'node:fs/promises';
import * as path from 'node:path';
import type { OperationContext } from '../../model/operationContext.ts';
import type { InstanceLogs, LogOptions } from '../../model/provider.ts';

/** The variable that makes the launcher begin each line with the time, as a log file can't tell it otherwise. */
export const logTimes = 'REMOTE_SWARM_LOG_TIMES';

const mostBytes = 4 * 1024 * 1024;

/** The last lines of a log, without the token. `since` goes by the times in it; a line without one has that before it. */
export async function readLog(file: string, token: string, options: LogOptions): Promise<InstanceLogs> {
  const { text, cut } = await lastText(file);
  const lines = splitLines(text);
  if (cut) lines.shift();
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
  const handle = await open(file, 'r');
  let position = (await handle.stat()).size;
  let rest = '';
  let wake = () => {};
  const watcher = watch(path.dirname(file), () => wake());
  // A folder's watch tells of writes and of the end of most servers; the clock, of one that was killed.
  const clock = setInterval(() => wake(), 1_000);
  const abort = () => wake();
  ctx.signal.addEventListener('abort', abort, { once: true });
  const decoder = new TextDecoder();
  const drain = async () => {
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(64 * 1024), { position });
      if (bytesRead === 0) return;
      position += bytesRead;
      const lines = (rest + decoder.decode(buffer.subarray(0, bytesRead), { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of redact(lines, token)) sink(line);
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

function splitLines(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

async function lastText(file: string): Promise<{ text: string; cut: boolean }> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!handle) return { text: '', cut: false };
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, mostBytes);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), { position: size - length });
    return { text: buffer.toString('utf8', 0, bytesRead), cut: size > length };
  } finally {
    await handle.close();
  }
}
