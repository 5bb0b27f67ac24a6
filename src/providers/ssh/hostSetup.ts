import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import * as z from 'zod';
import { heldBack } from '../../../media/instance/launcher.mjs';
import { providerRefused, type SwarmError } from '../../model/errors.ts';
import { type OperationContext, withTimeout } from '../../model/operationContext.ts';
import type { HomeProcess, HomeTask } from '../../model/provider.ts';
import { takenBytesOf } from '../diskUsage.ts';
import { editorServerVersion } from '../editorServer.ts';
import { installEditorServer } from '../editorServerInstaller.ts';
import { homeProgram, hostProgramList } from '../homeProgram.ts';
import type { ProviderEnvironment } from '../providerEnvironment.ts';
import { homeProcess, spawnHome } from '../spawnHome.ts';
import { notThere } from './hostCall.ts';
import { tryDoors } from './hostDoors.ts';
import { type HostLook, lookScript, readLook, type Unfit, whyHostUnfit, whyScriptFailed } from './hostLook.ts';
import { HostShell, ScriptFailed } from './hostShell.ts';
import type { SshConnection } from './sshConnection.ts';
import { afterMark, chunksAfterMark, sayMark } from './startMark.ts';

/** Where everything of ours on a host lies, below its directory, so that releases do not disturb each other. */
const serverFolder = `server/code-server-${editorServerVersion}`;
/** The files by which a folder with all that belongs in it is known. */
const serverMark = 'installed.json';
const programsMark = 'run';
/** How long the first command may take: start files are slow on some hosts. Milliseconds. */
const lookTime = 25_000;
/** Bytes that must be left on a host that has the editor server. */
const leastRoom = 64 * 1024 ** 2;
/** What is on its way lies below this until it was checked. */
const partialPrefix = '.partial-';

/** Files by name, as they lie beside each other on the host. */
type Programs = Readonly<Record<string, string>>;
const ProgramNames = z.array(z.string());

/**
 * Brings to a host what it needs, once: the editor server with its node, and the programs that call it. The host itself
 * has to have nothing but a shell. Everything is checked by its digest before it gets its final name.
 */
export class HostSetup {
  readonly #connection: SshConnection;
  readonly #shell: HostShell;
  readonly #directory: string | undefined;
  readonly #environment: ProviderEnvironment;
  #programs: Promise<Programs> | undefined;

  constructor(connection: SshConnection, directory: string | undefined, environment: ProviderEnvironment) {
    this.#connection = connection;
    this.#shell = new HostShell(connection, directory);
    this.#directory = directory;
    this.#environment = environment;
  }

  /**
   * What the host's shell is to run for a call of the program, after `before`, which says the mark; it ends with
   * {@link notThere} where there is none.
   */
  async command(args: readonly string[] = [], before = sayMark): Promise<string> {
    const run = `programs/${await this.#programsName()}/${programsMark}`;
    return this.#shell.command(`${before}[ -x "$d/${run}" ] && exec "$d/${run}" "$d" "$@"; exit ${notThere}`, args);
  }

  /** Tries what instances need of the host, and brings what is not there. */
  async prepare(ctx: OperationContext): Promise<void> {
    try {
      await audibly(ctx, audible => this.#prepare(audible));
    } catch (error) {
      if (error instanceof ScriptFailed) throw this.#unfit(whyScriptFailed(error.message.replace(/\.$/, '')));
      throw error;
    }
  }

  async #prepare(ctx: OperationContext): Promise<void> {
    const programs = await this.#programsName();
    const own = [serverFolder, `programs/${programs}`] as const;
    const look = await this.#look(own, ctx);
    this.#refuseUnfit(look, leastRoom);
    await tryDoors(this.#connection, ctx);
    if (look.hasServer && look.hasPrograms) return;
    const platform = platformOf(look);
    const server = await installEditorServer(
      this.#environment.editorServerDirectory,
      ctx,
      platform,
      this.#environment.webSettings?.(),
    );
    const root = path.resolve(server.serverMain, ...Array(6).fill('..'));
    const node = path.relative(root, server.node);
    if (!look.hasServer) this.#refuseUnfit(look, (await takenBytesOf(root, ctx.signal)) ?? 0);
    const partial = `${partialPrefix}${randomBytes(4).toString('hex')}`;
    try {
      await this.#shell.run(
        `find ./${partialPrefix}* -prune -mtime +0 -exec rm -rf {} \\; 2>/dev/null || true; mkdir "$1"`,
        [partial],
        ctx,
      );
      if (!look.hasServer) await this.#bringServer(root, node, partial, ctx);
      await this.#bringPrograms(`${serverFolder}/${node}`, partial, programs, ctx);
      await this.#shell.run(`${use}; ${letGo}`, own, ctx);
    } finally {
      await this.#shell.run('rm -rf "$1"', [partial], { ...ctx, signal: AbortSignal.timeout(10_000) }).catch(() => {});
    }
  }

  /** The first command of all, so that a shell which never comes to it is told as such. */
  async #look(own: readonly string[], ctx: OperationContext): Promise<HostLook> {
    const limited = withTimeout(ctx, lookTime);
    try {
      return readLook(await this.#shell.run(`${use}; ${lookScript(serverMark, programsMark)}`, own, limited));
    } catch (error) {
      if (!limited.signal.aborted || ctx.signal.aborted) throw error;
      throw this.#connection.shellProblem(`nothing came to its end within ${lookTime / 1000} s`);
    }
  }

  /** First the node, which then takes in the rest. */
  async #bringServer(root: string, node: string, partial: string, ctx: OperationContext): Promise<void> {
    const { host } = this.#connection.target;
    const home = homeProgram(this.#environment.launcher);
    ctx.report(`Bringing node to ${host}`);
    const receiveNode = 'mkdir -p "$1"; cat > "$1/node"; chmod 755 "$1/node"; "$1/node" --version';
    const folder = `${partial}/tree/${path.dirname(node)}`;
    const sent = counted(createReadStream(path.join(root, node)), bytes =>
      ctx.report(`Bringing node to ${host}: ${megabytes(bytes)}`),
    );
    await this.#shell.run(receiveNode, [folder], ctx, sent);
    await this.#shell.run('cat > "$1/home.mjs"', [partial], ctx, createReadStream(home));

    const check = (said: string) => {
      const words = afterMark(said).trim();
      if (words !== 'done') throw this.#notBrought(words.slice(0, 300) || 'the connection was lost');
    };
    const local = (task: HomeTask) => spawnHome('', this.#connection.providerId, home, root, task);
    const start = (script: string, ...args: string[]) =>
      this.#shell.start(`cd "$d/$1/tree" && ${script}`, [partial, node, ...args]);
    const remote = (task: HomeTask) =>
      homeProcess(start('exec "./$2" ../home.mjs "$3"', task), check, chunksAfterMark());
    const opened: HomeProcess[] = [];
    const open = (process: HomeProcess) => {
      opened.push(process);
      return process;
    };
    const end = () => void Promise.all(opened.map(process => process.end()));
    ctx.signal.addEventListener('abort', end, { once: true });
    try {
      const receiving = start('"./$2" -e "$3" | "./$2" ../home.mjs import', unpack);
      const incoming = open(homeProcess(receiving, check, chunksAfterMark()));
      const [there, outgoing] = [open(remote('list')), open(local('export'))];
      const tell = (bytes: number) => ctx.report(`Bringing the editor server to ${host}: ${megabytes(bytes)}`);
      // Whoever takes it in says why it can't.
      const sending = pipeline(counted(outgoing.output, tell), createGzip({ level: 1 }), receiving.stdin).catch(
        () => {},
      );
      await Promise.all([pour(there, outgoing), sending, text(Readable.from(incoming.output))]);
      await Promise.all([there.done, outgoing.done, incoming.done]);
      ctx.report(`Checking the editor server on ${host}`);
      const [ours, theirs] = await Promise.all([open(local('digest')), open(remote('digest'))].map(digestOf));
      if (ours === undefined || ours !== theirs) throw this.#differs('The editor server');
    } catch (error) {
      ctx.signal.throwIfAborted();
      throw error;
    } finally {
      ctx.signal.removeEventListener('abort', end);
      end();
    }
    await this.#shell.run(place, [`${partial}/tree/${node}`, placer, `${partial}/tree`, serverFolder, serverMark], ctx);
  }

  async #bringPrograms(node: string, partial: string, name: string, ctx: OperationContext): Promise<void> {
    ctx.report(`Bringing the programs of Remote Swarm to ${this.#connection.target.host}`);
    const own = `unset ${heldBack.join(' ')}`;
    const run = `#!/bin/sh\n${own}\nn="\${0%/*}/../../${node}"\n[ -x "$n" ] || exit ${notThere}\nexec "$n" "\${0%/*}/hostProgram.cjs" "$@"\n`;
    const files = { ...(await this.#loadPrograms()), run };
    const receive = 'mkdir "$1/programs"; n=$PWD/$2; cd "$1/programs"; exec "$n" -e "$3"';
    const said = await this.#shell.run(receive, [partial, node, receiver], ctx, Readable.from([JSON.stringify(files)]));
    if (said.trim() !== digestOfFiles(files)) throw this.#differs('The program of Remote Swarm');
    await this.#shell.run(place, [node, placer, `${partial}/programs`, `programs/${name}`, programsMark], ctx);
  }

  #loadPrograms(): Promise<Programs> {
    this.#programs ??= loadPrograms(this.#environment.launcher).catch(error => {
      this.#programs = undefined;
      throw error;
    });
    return this.#programs;
  }

  /** Those of one content, for one editor server. */
  async #programsName(): Promise<string> {
    return digestOfFiles({ ...(await this.#loadPrograms()), editorServerVersion }).slice(0, 16);
  }

  #refuseUnfit(look: HostLook, bytes: number): void {
    const unfit = whyHostUnfit(look, bytes);
    if (unfit) throw this.#unfit(unfit);
  }

  #unfit({ why, choose }: Unfit): SwarmError {
    const { host } = this.#connection.target;
    const where = this.#directory ?? '.remote-swarm in the home of its user';
    return providerRefused('ssh-host-unfit', `${host} cannot have instances in ${where}: it ${why}.`, choose);
  }

  #notBrought(said: string) {
    return providerRefused(
      'ssh-transfer-failed',
      `The editor server could not be brought to ${this.#connection.target.host}: ${said.replace(/\.$/, '')}.`,
      'Check the disk of the host and the connection, and try again. Nothing of it was left there.',
    );
  }

  #differs(what: string) {
    return providerRefused(
      'ssh-transfer-broken',
      `${what} did not come to ${this.#connection.target.host} as it was sent.`,
      'Check the disk and the memory of the host, and try again. Nothing of it was left there.',
    );
  }
}

/** Of what a window uses, the host is told so now and then. */
const use = 'touch -c "$1" "$2" 2>/dev/null || true';
/**
 * What releases brought that no window has used for thirty days goes, unless something runs from there. Where that can't
 * be told, all of it stays.
 */
const letGo = [
  'running=$(ps -A -o args) && [ -n "$running" ] || exit 0;',
  'for folder in $(find programs server -mindepth 1 -maxdepth 1 -mtime +30 2>/dev/null); do',
  'case "$folder" in "$1"|"$2") continue ;; esac;',
  'case "$running" in *"$folder/"*) ;; *) rm -rf "$folder" || true ;; esac;',
  'done; true',
].join(' ');

/** Runs on the host's node. */
const unpack = 'process.stdin.pipe(require("zlib").createGunzip()).pipe(process.stdout)';

const place = 'n=$1; shift; exec "$n" -e "$@"';
/**
 * Gives a folder its final name. One that lies there without its mark, as who tidies a disk may leave it, makes way; but
 * one that another window was quicker to bring does not.
 */
const placer = [
  'const fs = require("fs"), path = require("path"), [made, place, mark] = process.argv.slice(1);',
  'const whole = () => fs.existsSync(path.join(place, mark));',
  'fs.mkdirSync(path.dirname(place), { recursive: true });',
  'if (fs.existsSync(place) && !whole()) try { fs.renameSync(place, path.join(path.dirname(made), "torn")); } catch {}',
  'try { fs.renameSync(made, place); } catch (error) { if (!whole()) throw error; }',
].join(' ');

/** Writes files that come as JSON, and says the digest of what the disk has then. */
const receiver = [
  'const fs = require("fs"), hash = require("crypto").createHash("sha256");',
  'for (const [name, text] of Object.entries(JSON.parse(fs.readFileSync(0, "utf8")))) {',
  'fs.writeFileSync(name, text, { mode: 0o700 });',
  'hash.update(JSON.stringify([name, fs.readFileSync(name, "utf8")]));',
  '}',
  'console.log(hash.digest("hex"));',
].join(' ');

function digestOfFiles(files: Programs): string {
  const hash = createHash('sha256');
  for (const entry of Object.entries(files)) hash.update(JSON.stringify(entry));
  return hash.digest('hex');
}

async function loadPrograms(launcher: string): Promise<Programs> {
  const list = hostProgramList(launcher);
  const names = ProgramNames.parse(JSON.parse(await readFile(list, 'utf8')));
  const files = [...names.map(name => path.join(path.dirname(list), name)), launcher, homeProgram(launcher)];
  return Object.fromEntries(
    await Promise.all(files.map(async file => [path.basename(file), await readFile(file, 'utf8')] as const)),
  );
}

/** As Node names it, of a host that is fit. */
const platformOf = ({ system, machine }: HostLook) =>
  `${system.toLowerCase()}-${/^(x86_64|amd64)$/.test(machine) ? 'x64' : 'arm64'}`;

/** Says again what is being done while it takes long: silence would be taken for a hang. */
async function audibly<T>(ctx: OperationContext, work: (ctx: OperationContext) => Promise<T>): Promise<T> {
  let last: Parameters<OperationContext['report']> | undefined;
  const report: OperationContext['report'] = (...said) => {
    last = said;
    ctx.report(...said);
  };
  const timer = setInterval(() => last && ctx.report(...last), 10_000);
  try {
    return await work({ ...ctx, report });
  } finally {
    clearInterval(timer);
  }
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

async function pour(from: HomeProcess, to: HomeProcess): Promise<void> {
  for await (const chunk of from.output) await to.write(chunk);
}

/** The same chunks; once in a while it is told how much they were so far. */
async function* counted(source: AsyncIterable<Uint8Array>, tell: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  let told = performance.now();
  for await (const chunk of source) {
    bytes += chunk.length;
    if (performance.now() - told > 500) {
      told = performance.now();
      tell(bytes);
    }
    yield chunk;
  }
}

async function digestOf(process: HomeProcess): Promise<unknown> {
  const answer = await text(Readable.from(process.output));
  await process.done;
  return JSON.parse(answer).digest;
}
