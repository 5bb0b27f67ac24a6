// What runs on an SSH host, on the node of its editor server: the local provider, called once and answering on its
// standard streams in the lines of providers/ssh/hostProtocol.ts.
//   hostProgram.cjs <directory>                     one call
//   hostProgram.cjs <directory> home <id> <task>    home.mjs beside a home
//   hostProgram.cjs <directory> terminal <id>       a shell in an instance
import { type SpawnOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import * as path from 'node:path';
import { PassThrough } from 'node:stream';
import { messageOf, SwarmError, unsupported } from './model/errors.ts';
import { linesOf, longestJson } from './model/linesOf.ts';
import { type OperationContext, withTimeout } from './model/operationContext.ts';
import type { InstanceObservation } from './model/provider.ts';
import { installedEditorServer } from './providers/editorServerInstaller.ts';
import { homeProgram } from './providers/homeProgram.ts';
import { LocalProvider } from './providers/local/localProvider.ts';
import { CallersLock } from './providers/ssh/callersLock.ts';
import {
  type HostAnswer,
  type HostArguments,
  type HostCall,
  HostInput,
  type HostOutput,
  HostRequest,
  hostAnswers,
} from './providers/ssh/hostProtocol.ts';
import { translateError } from './providers/translateError.ts';
import { readMachine } from './storage/thisMachine.ts';

const [program = '', directory = '', mode, ...modeArguments] = process.argv.slice(1);
const launcher = path.join(path.dirname(program), 'launcher.mjs');

async function provide(id: string): Promise<LocalProvider> {
  const editorServerDirectory = path.join(directory, 'server');
  const server = await installedEditorServer(editorServerDirectory);
  return new LocalProvider(
    {
      ...{ id, type: 'local', directory: path.join(directory, 'instances') },
      ...(server?.kind === 'node' && { server: server.serverMain }),
    },
    {
      ...{ localDirectory: directory, launcher, editorServerDirectory, machine: await readMachine() },
      readSecret: async () => undefined,
    },
  );
}

/** What a call has beside its arguments. */
interface Conversation extends OperationContext {
  readonly stdin: AsyncIterable<Uint8Array>;
  say(output: HostOutput): void;
}

type Work = {
  readonly [C in HostCall]: (
    provider: LocalProvider,
    args: HostArguments[C],
    conversation: Conversation,
  ) => Promise<HostAnswer<C>>;
};

const work: Work = {
  hello: async (provider, _, ctx) => {
    await provider.initialize(ctx);
    const { cpu, memory } = provider.getCapabilities().maxResourcesPerInstance;
    return { cores: cpu.cores, memoryMb: memory.max ?? 1, instances: provider.folders.directory };
  },
  create: (provider, [spec], ctx) => provider.createInstance(spec, ctx),
  get: (provider, [id]) => provider.getInstance(id),
  list: provider => provider.listInstances(),
  start: (provider, [id], ctx) => provider.startInstance(id, ctx),
  stop: (provider, [id, force], ctx) => provider.stopInstance(id, force, ctx),
  delete: (provider, [id], ctx) => provider.deleteInstance(id, ctx),
  update: (provider, [id, update, secrets], ctx) => provider.updateInstance(id, update, ctx, secrets),
  logs: (provider, [id, options]) => provider.getInstanceLogs(id, options),
  execute: (provider, [id, command, most], { signal, report, stdin }) =>
    provider.executeCommand(id, command, {
      ...{ signal, report, stdin },
      ...(most !== null && { maxOutputBytes: most }),
    }),
  observe: async (provider, _, ctx) => {
    const [rows, whole] = await Promise.all([provider.abilities.observe(), provider.listInstances()]);
    return { rows, whole, answered: await promptAnswers(provider, rows, ctx) };
  },
  readToken: (provider, [id]) => provider.abilities.readToken(id),
  serverPort: async (provider, [id]) => (await provider.running(id)).port,
  probe: ({ abilities }, [wanted], ctx) =>
    Promise.all(wanted.map(([id, port]) => abilities.probe(id, port ?? undefined, ctx))),
  hasHome: (provider, [id]) => provider.abilities.hasHome(id),
  recreate: (provider, [spec], ctx) => provider.recreate(spec, ctx),
  prepareIncoming: (provider, [spec], ctx) => provider.prepareIncoming(spec, ctx),
  setRole: (provider, [id, role], ctx) => provider.moveTo(role, id, ctx),
  transfer: (provider, [id, heir], ctx) => provider.transfer(id, heir, ctx),
  giveUpServer: (provider, [id], ctx) => provider.giveUpServer(id, ctx),
  stats: async ({ id, abilities }, [ids], ctx) => {
    if (!abilities.stats) throw unsupported(id, 'measure what instances use');
    return abilities.stats(ids, ctx);
  },
  freeBytes: async ({ abilities }) => (await abilities.freeBytes()) ?? null,
  homeBytes: async ({ abilities }, [ids], ctx) => [...(await abilities.homeBytes(ids, ctx))],
  listPorts: async ({ id, abilities }, [instanceId]) => {
    if (!abilities.listPorts) throw unsupported(id, 'list ports');
    return abilities.listPorts(instanceId);
  },
  followLogs: async (provider, [id], ctx) => {
    await provider.running(id);
    ctx.say({ begun: true });
    await provider.abilities.followLogs(id, line => ctx.say({ line }), ctx);
    return null;
  },
  watch: ({ abilities }, _, { signal, say }) => {
    const watching = abilities.watch(id => say({ wake: id ?? null }));
    say({ begun: true });
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        watching.dispose();
        reject(signal.reason);
      });
    });
  },
};

/** How long a list waits for the editor servers it lists; milliseconds. Whoever needs longer is asked by itself. */
const promptly = 500;

async function promptAnswers(
  { abilities }: LocalProvider,
  rows: readonly InstanceObservation[],
  ctx: OperationContext,
): Promise<{ id: string; latencyMs: number }[]> {
  const limited = withTimeout(ctx, promptly);
  const asked = rows.map(async ({ id, role, port }) => {
    if (role !== 'owner' || port === undefined) return [];
    const { answered, latencyMs } = await abilities.probe(id, port, limited);
    return answered ? [{ id, latencyMs }] : [];
  });
  return (await Promise.all(asked)).flat();
}

const say = (output: HostOutput) => void process.stdout.write(`${JSON.stringify(output)}\n`);

/** Answers the one call that its input holds. */
async function converse(): Promise<void> {
  const lines = linesOf(process.stdin, longestJson);
  const { value: first = '' } = await lines.next();
  const { providerId, call, args, claim, isLocked } = HostRequest.parse(JSON.parse(first));
  const cancel = new AbortController();
  const stdin = new PassThrough();
  stdin.on('error', () => {});
  const lock = isLocked ? new CallersLock(call, () => say({ prove: true })) : undefined;
  void listen(lines, stdin, lock, reason => cancel.abort(reason));
  const report = (message: string, fraction?: number) =>
    say({ report: message, ...(fraction !== undefined && { fraction }) });
  try {
    if (!Object.hasOwn(hostAnswers, call)) throw unsupported(providerId, `do "${call}"`);
    const provider = await provide(providerId);
    const answer = await work[call as HostCall](provider, args as never, {
      ...{ signal: cancel.signal, claim, stdin, report, say },
      ...(lock && { lock }),
    });
    say({ result: answer });
  } catch (thrown) {
    const error = translateError(providerId, thrown, cancel.signal);
    if (error instanceof SwarmError) {
      const { family, code, message, hint, retryable } = error;
      say({ error: { family, code, message, retryable, ...(hint !== undefined && { hint }) } });
    } else say({ aborted: true });
  }
}

/** Reads what else is said. Whoever stops talking has gone. */
async function listen(
  lines: AsyncIterable<string>,
  stdin: PassThrough,
  lock: CallersLock | undefined,
  abort: (reason: unknown) => void,
): Promise<void> {
  for await (const line of lines) {
    const said = HostInput.parse(JSON.parse(line));
    if ('data' in said) stdin.write(Buffer.from(said.data, 'base64'), () => say({ taken: true }));
    else if ('end' in said) stdin.end();
    else if ('held' in said) lock?.answer(said.held);
    else abort(new DOMException('The caller has given it up.', said.abort));
  }
  lock?.lose();
  abort(new DOMException('The caller is gone.', 'AbortError'));
}

/** Gives its standard streams to a child, and ends as it does. Input that the child does not want tells when the caller goes. */
async function become(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
  wantsInput: boolean,
): Promise<void> {
  const child = spawn(file, args, { ...options, stdio: [wantsInput ? 'inherit' : 'ignore', 'inherit', 'inherit'] });
  // Those of a terminal reach the child too, and only it decides what they mean.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTSTP'] as const) process.on(signal, () => {});
  if (!wantsInput) process.stdin.resume().on('end', () => child.kill('SIGKILL'));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

async function runHome(id: string, task: string): Promise<void> {
  const { layout } = await (await provide('ssh')).existing(id);
  const wantsInput = task === 'export' || task === 'import';
  await become(process.execPath, [homeProgram(launcher), task], { cwd: layout.home }, wantsInput);
}

async function runTerminal(id: string): Promise<void> {
  const { file, args, cwd, env } = await (await provide('ssh')).abilities.terminal(id);
  await become(file, args, { cwd, env }, true);
}

// Nobody listens any more, and what goes on is rolled back.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
const [id = '', task = ''] = modeArguments;
const running = mode === 'home' ? runHome(id, task) : mode === 'terminal' ? runTerminal(id) : converse();
running.then(
  () => process.stdout.write('', () => process.exit()),
  (error: unknown) => process.stderr.write(`${messageOf(error)}\n`, () => process.exit(1)),
);
