import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { link, rename, rm, stat, writeFile } from 'node:fs/promises';
import * as net from 'node:net';
import { constants } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import writeFileAtomic from 'write-file-atomic';
import * as z from 'zod';
import { providerRefused, timedOut, wrongState } from '../../model/errors.ts';
import { Port, type StopCause } from '../../model/instance.ts';
import { runsElsewhere } from '../../model/machineErrors.ts';
import { MachineIdentity, whereabouts } from '../../model/machineIdentity.ts';
import { type OperationContext, proveHeld } from '../../model/operationContext.ts';
import { editorCli, editorCliFile } from '../editorCli.ts';
import type { EditorServer, InstanceLayout } from '../editorServer.ts';
import { answers, listeningPort, serveArguments, serveWebArguments } from '../editorServer.ts';
import { removeRevision, replaceRevision } from './fileRevision.ts';
import { json, parsedJson, readJson, readText, serverMarkFile } from './instanceFolders.ts';
import { openPlainFile } from './plainFile.ts';
import { endFamily, isAlive, type Processes } from './processes.ts';
import { logTimes, readLog } from './serverLog.ts';

/** What `reserved/process.json` holds from the moment the server's process exists until it was stopped. */
export const ServerMark = z.object({
  pid: z.int().positive(),
  startTime: z.string(),
  /** The machine that it runs on; earlier versions took it for the one that reads this. */
  place: MachineIdentity.optional(),
  /** Where this run begins in the log. */
  logOffset: z.int().min(0),
  /** Of a server that does not choose its port itself, known from the beginning. */
  port: Port.optional(),
  answered: z.boolean(),
});
export type ServerMark = z.infer<typeof ServerMark>;

/** What `reserved/exit.json` holds: how the server ended, when the window that started it was there to see. */
export const ServerExit = z.object({ pid: z.int(), startTime: z.string(), exitCode: z.int() });

export type ServerState =
  | { readonly status: 'running'; readonly port: number; readonly mark: ServerMark }
  | { readonly status: 'starting'; readonly mark: ServerMark }
  /** It was started on another machine, and only there can anybody tell whether it runs. */
  | { readonly status: 'elsewhere'; readonly host: string }
  /** `damaged`: as far as anybody can tell; the mark that would tell a server from other processes says nothing. */
  | { readonly status: 'stopped'; readonly detail?: string; readonly cause?: StopCause; readonly damaged?: true };

/** What starting a server needs beside its folder. */
export interface StartPlan {
  readonly server: EditorServer;
  readonly launcher: string;
  readonly env: Readonly<Record<string, string>>;
  /** Told when the server ends while this process still lives. */
  readonly ended: () => void;
}

const host = '127.0.0.1';
const startTimeout = 60_000;
/** `code serve-web` downloads its server at the first request. */
const downloadTimeout = 600_000;
const stopGrace = 5_000;

/**
 * Runs its arguments as soon as it is told to, by a line on its standard input. The process's mark is on the disk
 * before that line is sent: a window that dies in between leaves no server that nobody knows of.
 */
const gate = 'read -r go && exec "$@" </dev/null';

const files = (layout: InstanceLayout) => ({
  mark: serverMarkFile(layout),
  exit: path.join(layout.reserved, 'exit.json'),
  log: serverLogFile(layout),
});
export const serverLogFile = (layout: InstanceLayout) => path.join(layout.reserved, 'server.log');

/** How the server of an instance is, from two small files; the process itself is the only witness of its life. */
export async function serverState(processes: Processes, layout: InstanceLayout): Promise<ServerState> {
  const { mark } = await readMark(processes, layout);
  if (mark === undefined) return { status: 'stopped' };
  if (!mark) return { status: 'stopped', detail: 'its file reserved/process.json cannot be read', damaged: true };
  if (whereabouts(mark.place, processes.machine) === 'elsewhere') return { status: 'elsewhere', host: mark.place.host };
  if (await isAlive(processes, mark)) {
    const { port, answered } = mark;
    return answered && port !== undefined ? { status: 'running', port, mark } : { status: 'starting', mark };
  }
  const exit = ServerExit.safeParse(await readJson(files(layout).exit)).data;
  const known = exit?.pid === mark.pid && exit.startTime === mark.startTime;
  return {
    status: 'stopped',
    // A stop that was asked for takes the mark away.
    cause: 'exited',
    detail: known ? `its editor server ended with exit code ${exit.exitCode}` : 'its editor server ended unexpectedly',
  };
}

interface NotedMark {
  /** What the file holds. */
  readonly text?: string;
  /** Undefined when there is none, null when it says nothing. */
  readonly mark?: (ServerMark & { readonly place: MachineIdentity }) | null;
}

/** Rejects when the file is there and can't be read. */
async function readMark(processes: Processes, layout: InstanceLayout): Promise<NotedMark> {
  const text = await readText(files(layout).mark);
  if (text === undefined) return {};
  const { data: mark } = ServerMark.safeParse(parsedJson(text));
  if (!mark) return { text, mark: null };
  const { pid, startTime, place } = mark;
  if (place) return { text, mark: { ...mark, place } };
  const isFormer = processes.formerStartTime && (await processes.formerStartTime(pid)) === startTime;
  const now = isFormer ? await processes.startTime(pid) : undefined;
  return { text, mark: { ...mark, startTime: now ?? startTime, place: processes.machine } };
}

/** Writes down where a server lives that an earlier version started here, before another machine may read its mark. */
export async function placeMark(processes: Processes, layout: InstanceLayout): Promise<void> {
  const { mark: file } = files(layout);
  const { text, mark } = await readMark(processes, layout);
  if (!mark || text === undefined || ServerMark.parse(JSON.parse(text)).place !== undefined) return;
  if (await isAlive(processes, mark)) replaceRevision(file, text, json(mark));
}

/** Removes the mark of a server that does not live; one that another window puts there meanwhile stays. */
async function clearMark(processes: Processes, layout: InstanceLayout, ctx: OperationContext): Promise<void> {
  const { text, mark } = await readMark(processes, layout);
  if (text === undefined || (mark && (await isAlive(processes, mark)))) return;
  await proveHeld(ctx);
  removeRevision(files(layout).mark, text);
}

/** Throws `runsElsewhere` when what is in this folder can't be judged here: then nothing there may be changed. */
export async function refuseElsewhere(processes: Processes, instanceId: string, layout: InstanceLayout): Promise<void> {
  const state = await serverState(processes, layout);
  if (state.status === 'elsewhere') throw runsElsewhere(instanceId, state.host);
}

/**
 * Removes the mark of a server that nobody here can judge; one that comes meanwhile stays. Throws `wrongState` when there
 * is none.
 */
export async function giveUpServer(
  processes: Processes,
  instanceId: string,
  layout: InstanceLayout,
  ctx: OperationContext,
): Promise<void> {
  ctx.signal.throwIfAborted();
  const { text, mark } = await readMark(processes, layout);
  if (text === undefined || !mark || whereabouts(mark.place, processes.machine) !== 'elsewhere')
    throw wrongState(instanceId, 'on this machine', 'look again');
  ctx.lock?.assertHeld();
  removeRevision(files(layout).mark, text);
}

/** Starts the server unless it runs, and resolves with its port when it answers. It outlives this process. */
export async function startServer(
  processes: Processes,
  instanceId: string,
  layout: InstanceLayout,
  token: string,
  plan: () => Promise<StartPlan>,
  ctx: OperationContext,
): Promise<number> {
  const state = await serverState(processes, layout);
  if (state.status === 'elsewhere') throw runsElsewhere(instanceId, state.host);
  if (state.status !== 'stopped') return awaitServer(processes, instanceId, layout, token, state.mark, ctx);
  const { server, launcher, env, ended } = await plan();
  ctx.signal.throwIfAborted();
  ctx.report('Starting the editor server');
  await clearMark(processes, layout, ctx);
  await proveHeld(ctx);
  await writeFileAtomic(editorCliFile(layout), editorCli(layout, server), { mode: 0o700 });
  const port = server.kind === 'serve-web' ? await freePort() : undefined;
  const argv =
    server.kind === 'node'
      ? [server.node, ...serveArguments(launcher, server.serverMain, layout, instanceId, host, 0)]
      : [server.file, ...serveWebArguments(layout, instanceId, host, port ?? 0)];
  const mark = await launch(processes, layout, argv, port, env, ended, ctx);
  return awaitServer(processes, instanceId, layout, token, mark, ctx);
}

/** Ends the server and everything that was started in the instance. Nothing running is fine. */
export async function stopServer(
  processes: Processes,
  instanceId: string,
  layout: InstanceLayout,
  assignment: string,
  force: boolean,
  ctx: OperationContext,
): Promise<void> {
  await refuseElsewhere(processes, instanceId, layout);
  const { mark } = await readMark(processes, layout);
  const graceMs = force ? 0 : stopGrace;
  await endFamily(processes, mark ?? undefined, { graceMs, assignment, prove: () => proveHeld(ctx) });
  await clearMark(processes, layout, ctx);
  await proveHeld(ctx);
  await rm(files(layout).exit, { force: true });
}

async function launch(
  processes: Processes,
  layout: InstanceLayout,
  argv: readonly string[],
  port: number | undefined,
  env: Readonly<Record<string, string>>,
  ended: () => void,
  ctx: OperationContext,
): Promise<ServerMark> {
  const { mark: file, exit, log } = files(layout);
  const logOffset = await rotate(log);
  const output = await openPlainFile(log, 'append');
  let child: ChildProcess;
  let exited: Promise<number>;
  try {
    child = spawn('/bin/sh', ['-c', gate, 'sh', ...argv], {
      cwd: layout.home,
      env: { ...env, [logTimes]: '1' },
      detached: true,
      stdio: ['pipe', output.fd, output.fd],
    });
    exited = new Promise(resolve => {
      child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
    // Of a gate that ended early the line can't be written; that it ended is seen below.
    child.stdin?.on('error', () => {});
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  } finally {
    await output.close();
  }
  const pid = child.pid ?? 0;
  let text = '';
  try {
    const startTime = (await processes.startTime(pid)) ?? '';
    const mark = {
      pid,
      startTime,
      place: processes.machine,
      logOffset,
      answered: false,
      ...(port === undefined ? {} : { port }),
    };
    text = json(mark);
    await writeOnce(file, text, ctx);
    await proveHeld(ctx);
    void exited.then(exitCode => noteExit(exit, { pid, startTime, exitCode })).then(ended);
    child.stdin?.end('go\n');
    child.unref();
    return mark;
  } catch (error) {
    // The gate takes the end of its input for a no.
    child.stdin?.destroy();
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      // Nobody shall wait for a server that will never be.
      removeRevision(file, text);
      throw error;
    }
    // Another window was quicker: its server is the one.
    return ServerMark.parse(await readJson(file));
  }
}

/** For all windows to see. The folder may be gone by now, and nobody wants to know then. */
async function noteExit(file: string, exit: z.infer<typeof ServerExit>): Promise<void> {
  await writeFile(file, json(exit), { mode: 0o600 }).catch(() => {});
}

/** Resolves with the port when the server answers, and notes it; rejects when it ended, with what it said last. */
async function awaitServer(
  processes: Processes,
  instanceId: string,
  layout: InstanceLayout,
  token: string,
  mark: ServerMark,
  ctx: OperationContext,
): Promise<number> {
  const { log } = files(layout);
  const most = mark.answered || mark.port === undefined ? startTimeout : downloadTimeout;
  const begin = performance.now();
  for (let pause = 20; performance.now() - begin < most; pause = Math.min(pause * 1.5, 500)) {
    ctx.signal.throwIfAborted();
    const port = mark.port ?? listeningPort(await textFrom(log, mark.logOffset));
    if (port !== undefined && (await answers(host, port, instanceId, ctx)) && (await isAlive(processes, mark))) {
      await noteAnswer(processes, layout, mark, port);
      return port;
    }
    if (!(await isAlive(processes, mark))) throw await endedEarly(layout, token);
    ctx.report('Waiting for the editor server to answer');
    await sleep(pause, undefined, { signal: ctx.signal });
  }
  throw timedOut('The start of the editor server', most);
}

/** Unless that is noted already, or the mark is another server's by now. */
async function noteAnswer(processes: Processes, layout: InstanceLayout, mark: ServerMark, port: number): Promise<void> {
  const { text, mark: now } = await readMark(processes, layout);
  if (text === undefined || now?.pid !== mark.pid || now.startTime !== mark.startTime || now.answered) return;
  replaceRevision(files(layout).mark, text, json({ ...now, port, answered: true }));
}

async function endedEarly(layout: InstanceLayout, token: string) {
  const { lines } = await readLog(serverLogFile(layout), token, { tail: 5 });
  return providerRefused(
    'editor-server-ended',
    `The editor server ended right after its start: ${lines.join(' ').slice(0, 1_000) || 'it said nothing'}.`,
    'Look at the logs of the instance and at the setting that names the server.',
  );
}

/** Where the next run begins; a log that has grown past 4 MiB is put aside first. */
async function rotate(log: string): Promise<number> {
  const size = await stat(log).then(
    found => found.size,
    () => 0,
  );
  if (size < 4 * 1024 * 1024) return size;
  await rename(log, `${log}.1`);
  return 0;
}

async function textFrom(file: string, offset: number): Promise<string> {
  const handle = await openPlainFile(file);
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(64 * 1024), { position: offset });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Writes a file that must not exist yet; whoever sees it sees all of it. Rejects with EEXIST. */
async function writeOnce(file: string, text: string, ctx: OperationContext): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  try {
    await proveHeld(ctx);
    await link(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

/** A port that was free a moment ago; needed only for servers that do not say which one they took. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
