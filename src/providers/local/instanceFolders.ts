import { hash, randomBytes } from 'node:crypto';
import { link, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { instanceBusy, messageOf, reservedFileUnreadable } from '../../model/errors.ts';
import type { InstanceConfig, InstanceRole } from '../../model/instance.ts';
import { InstanceRole as Roles } from '../../model/instance.ts';
import { type MachineIdentity, whereabouts } from '../../model/machineIdentity.ts';
import { type OperationContext, proveHeld, quietContext } from '../../model/operationContext.ts';
import type { InstanceSpec } from '../../model/provider.ts';
import { type InstanceLayout, instanceLayout, serveWebToken } from '../editorServer.ts';
import {
  type InstanceMark,
  InstanceTitle,
  type InstanceVariables,
  instanceVariables,
  markOf,
} from '../instanceMark.ts';
import { reservedFile } from '../reservedFile.ts';
import { openPlainFile } from './plainFile.ts';
import { isAlive, type Processes } from './processes.ts';
import { removeTree } from './removeTree.ts';

/** One instance's folder, as it was found. */
export interface InstanceFolder extends InstanceMark {
  readonly role: InstanceRole;
  /** How often its owner or role has changed here. */
  readonly changes: number;
  readonly layout: InstanceLayout;
}

/** A folder that is called like an instance's and has a mark which cannot be read: never taken for none. */
export interface UnreadableFolder {
  readonly id: string;
  readonly role: InstanceRole;
  /** When it was made, as far as the disk knows. */
  readonly createdAt: string;
  readonly problem: string;
}

const titleName = /^title-([1-9]\d{0,14})\.json$/;
const folderName = new RegExp(`^([a-z0-9]{12})--(${Roles.options.join('|')})$`);
/** Pid and start time of the maker, where it lives as {@link placeWord} says it, and what makes the name unique. */
const transitName = /^\.remote-swarm-(\d+)-([\w-]*)(?:\.(\w*)\.(\w*)\.(\w*)\.(\w*))?\.[0-9a-f]{8}$/;

/**
 * The folders `<id>--<role>` below one directory. A folder is an instance when the mark in its reserved part says so; a
 * mark that cannot be read makes whoever asks for the instance fail with `reserved-file-unreadable`. Everything else in
 * the directory is somebody else's and is never touched.
 */
export class InstanceFolders {
  readonly directory: string;
  readonly #processes: Processes;

  constructor(directory: string, processes: Processes) {
    this.directory = directory;
    this.#processes = processes;
  }

  /** Makes the directory, and removes what a process left that was killed while it made or removed an instance. */
  async initialize(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.directory)) {
      if (!(await this.#isAbandoned(name))) continue;
      // What can't be removed is nobody's any more, and keeps nobody from the rest.
      await removeTree(path.join(this.directory, name)).catch(() => {});
    }
  }

  /** Every instance; none when the directory is not there. Of one id with several folders each one. */
  async list(): Promise<{ folders: InstanceFolder[]; unreadable: UnreadableFolder[] }> {
    const names = await readdir(this.directory).catch(absent);
    const unreadable: UnreadableFolder[] = [];
    const folders = await Promise.all(
      (names ?? []).map(name =>
        this.#read(name).catch(async error => {
          unreadable.push(await this.#unreadable(name, error));
          return undefined;
        }),
      ),
    );
    return { folders: folders.filter(folder => folder !== undefined), unreadable };
  }

  /** The folder of an instance; of several the owner before the others. */
  async find(id: string): Promise<InstanceFolder | undefined> {
    for (const role of Roles.options) {
      const folder = await this.#read(`${id}--${role}`);
      if (folder) return folder;
    }
    return undefined;
  }

  /** Makes a whole instance that was never started; nobody sees it before it is complete. */
  async make(
    spec: InstanceSpec,
    role: InstanceRole = 'owner',
    ctx: OperationContext = quietContext,
  ): Promise<InstanceFolder> {
    const { secrets } = spec;
    const { identity, config } = markOf(spec);
    const transit = await this.#transit();
    try {
      const layout = instanceLayout(transit);
      for (const folder of [layout.root, layout.home, layout.workspace, layout.serverData, layout.reserved]) {
        await mkdir(folder, { recursive: true, mode: 0o700 });
      }
      await writeReserved(layout, newToken(), instanceVariables(config, secrets), { identity, config });
      const final = this.layoutOf(identity.id, role);
      await proveHeld(ctx);
      await rename(transit, final.root);
      return { identity, config, role, changes: 0, layout: final };
    } catch (error) {
      await removeTree(transit);
      throw error;
    }
  }

  /** Writes config and variables; answers whether the variables changed. */
  async update(
    folder: InstanceFolder,
    config: InstanceConfig,
    secrets: Readonly<Record<string, string>>,
    ctx: OperationContext,
  ): Promise<boolean> {
    const before = (await this.#variables(folder)) ?? {};
    const after = instanceVariables(config, secrets, before);
    const changed = json(sorted(before)) !== json(sorted(after));
    await proveHeld(ctx);
    if (changed) await writeFileAtomic(folder.layout.environment, json(after), { mode: 0o600 });
    await proveHeld(ctx);
    await writeFileAtomic(folder.layout.record, json({ identity: folder.identity, config }), { mode: 0o600 });
    return changed;
  }

  /** Whether its home is still there, and whole. */
  async hasHome({ layout, role }: InstanceFolder): Promise<boolean> {
    if (role === 'removing') return false;
    const found = await stat(layout.home).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    return found?.isDirectory() ?? false;
  }

  /**
   * Makes what lies beside the home anew: mark and variables after the spec, and nothing else but the token, which stays,
   * as secrets do that are not given. The instance must be stopped.
   */
  async renew(folder: InstanceFolder, spec: InstanceSpec, ctx: OperationContext): Promise<InstanceFolder> {
    const { secrets } = spec;
    const { identity, config } = markOf(spec);
    const { layout } = folder;
    const before = (await this.#variables(folder).catch(() => undefined)) ?? {};
    const token = (await readText(layout.token).catch(() => undefined))?.trim() || newToken();
    // A server of another window has its mark there; what is not a server's any more was removed with its end.
    const stay = [layout.token, layout.environment, layout.record, serverMarkFile(layout)].map(file =>
      path.basename(file),
    );
    for (const name of await readdir(layout.reserved)) {
      await proveHeld(ctx);
      if (!stay.includes(name) && !titleName.test(name)) await removeTree(path.join(layout.reserved, name));
    }
    await proveHeld(ctx);
    await writeReserved(layout, token, instanceVariables(config, secrets, before), { identity, config });
    return { ...folder, identity, config };
  }

  /** The instance's own variables, secret ones included. */
  async variables(folder: InstanceFolder): Promise<InstanceVariables> {
    const variables = await this.#variables(folder);
    if (variables) return variables;
    throw reservedFileUnreadable(folder.identity.id, 'reserved/environment.json', 'it is not there');
  }

  /** What opens the instance's editor. */
  async token({ identity, layout }: InstanceFolder): Promise<string> {
    return reservedFile.token(identity.id, await readText(layout.token));
  }

  /** Gives it another role, and the generation that comes with it; the instance must be stopped. */
  async rename(
    folder: InstanceFolder,
    role: InstanceRole,
    generation: number,
    ctx: OperationContext,
  ): Promise<InstanceFolder> {
    const layout = this.layoutOf(folder.identity.id, role);
    const titled = await this.entitle(folder, { ...folder.identity, generation }, ctx);
    await proveHeld(ctx);
    await rename(folder.layout.root, layout.root);
    return { ...titled, role, layout };
  }

  /** Writes who owns it from now on. Of two who do so at once, one is refused with `instance-busy`. */
  async entitle(folder: InstanceFolder, title: InstanceTitle, ctx: OperationContext): Promise<InstanceFolder> {
    const { layout, identity } = folder;
    const changes = folder.changes + 1;
    const written = path.join(layout.reserved, `.title-${randomBytes(4).toString('hex')}`);
    await writeFile(written, json(InstanceTitle.strip().parse(title)), { mode: 0o600, flush: true });
    try {
      await proveHeld(ctx);
      await link(written, titleFile(layout, changes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw instanceBusy(identity.id, 'somebody else has changed who owns it');
    } finally {
      await rm(written, { force: true });
    }
    // Somebody may have been faster by more than one.
    if ((await lastChange(layout)) !== changes)
      throw instanceBusy(identity.id, 'somebody else has changed who owns it');
    await rm(titleFile(layout, folder.changes), { force: true });
    return { ...folder, identity: { ...identity, ...title }, changes };
  }

  /**
   * Removes everything for good. From before its first file goes it is called `removing`, whole no more; the mark goes
   * last, so that what was interrupted is still found and can be ended. Rejects with `home-not-removed`.
   */
  async remove(folder: InstanceFolder, ctx: OperationContext = quietContext): Promise<void> {
    const left = folder.role === 'removing' ? undefined : await this.#read(`${folder.identity.id}--removing`);
    if (left) await this.remove(left, ctx);
    const layout = this.layoutOf(folder.identity.id, 'removing');
    await proveHeld(ctx);
    // Nothing is written for it: a full disk is what it may be to free.
    if (folder.role !== 'removing') await rename(folder.layout.root, layout.root);
    ctx.signal.throwIfAborted();
    await removeTree(layout.home, ctx);
    const transit = await this.#transit();
    await proveHeld(ctx);
    await rename(layout.root, transit);
    await removeTree(transit, ctx);
  }

  /** Where an instance in this role lies, whether it is there or not. */
  layoutOf(id: string, role: InstanceRole): InstanceLayout {
    return instanceLayout(path.join(this.directory, `${id}--${role}`));
  }

  /** A name that tells who works on it, so that others know when nobody does. */
  async #transit(): Promise<string> {
    const startTime = Buffer.from((await this.#processes.startTime(process.pid)) ?? '').toString('base64url');
    const { id, boot, pids, host } = placeWord(this.#processes.machine);
    const unique = [id, boot, pids, host, randomBytes(4).toString('hex')].join('.');
    return path.join(this.directory, `.remote-swarm-${process.pid}-${startTime}.${unique}`);
  }

  /** Whether it is a folder in transit whose maker is known to be dead. One of another machine may live. */
  async #isAbandoned(name: string): Promise<boolean> {
    const [, pid, startTime = '', id, boot = '', pids = '', host = ''] = transitName.exec(name) ?? [];
    if (pid === undefined) return false;
    const here = placeWord(this.#processes.machine);
    const where = whereabouts(id === undefined ? here : { id, boot, pids, host }, here);
    if (where !== 'here') return where === 'gone';
    return !(await isAlive(this.#processes, {
      pid: Number(pid),
      startTime: Buffer.from(startTime, 'base64url').toString(),
    }));
  }

  async #read(name: string): Promise<InstanceFolder | undefined> {
    const [, id, role] = folderName.exec(name) ?? [];
    if (id === undefined) return undefined;
    const layout = instanceLayout(path.join(this.directory, name));
    const mark = reservedFile.mark(id, await readText(layout.record));
    if (!mark) return undefined;
    for (;;) {
      const changes = await lastChange(layout);
      if (changes === undefined) return undefined;
      const found = { ...mark, changes, role: Roles.parse(role), layout };
      if (changes === 0) return found;
      const title = reservedFile.title(id, await readText(titleFile(layout, changes)));
      // Without one it has been followed by another meanwhile.
      if (title) return { ...found, identity: { ...mark.identity, ...title } };
    }
  }

  async #unreadable(name: string, error: unknown): Promise<UnreadableFolder> {
    const [, id = '', role] = folderName.exec(name) ?? [];
    const { birthtime } = await stat(path.join(this.directory, name));
    return { id, role: Roles.parse(role), createdAt: birthtime.toISOString(), problem: messageOf(error) };
  }

  async #variables({ identity, layout }: InstanceFolder): Promise<InstanceVariables | undefined> {
    return reservedFile.variables(identity.id, await readText(layout.environment));
  }
}

/** A place in the letters that the name of a folder may have, and few of them. */
const placeWord = (machine: MachineIdentity): MachineIdentity => ({
  ...machine,
  host: hash('sha256', machine.host, 'hex').slice(0, 8),
});

const titleFile = ({ reserved }: InstanceLayout, change: number) => path.join(reserved, `title-${change}.json`);

/** 0 when there was none; undefined when its folder is not there any more. */
async function lastChange({ reserved }: InstanceLayout): Promise<number | undefined> {
  const names = await readdir(reserved).catch(absent);
  return names && Math.max(0, ...names.map(name => Number(titleName.exec(name)?.[1] ?? 0)));
}

/** What tells an editor server that was started here from other processes. */
export const serverMarkFile = (layout: InstanceLayout) => path.join(layout.reserved, 'process.json');

const newToken = () => randomBytes(16).toString('hex');

/** Writes what an instance is known by: where the mark is, all the others are. */
async function writeReserved(
  layout: InstanceLayout,
  token: string,
  variables: Readonly<Record<string, string>>,
  mark: InstanceMark,
): Promise<void> {
  await mkdir(path.dirname(serveWebToken(layout)), { mode: 0o700 });
  await writeFileAtomic(serveWebToken(layout), token, { mode: 0o600 });
  await writeFileAtomic(layout.token, token, { mode: 0o600 });
  await writeFileAtomic(layout.environment, json(variables), { mode: 0o600 });
  await writeFileAtomic(layout.record, json(mark), { mode: 0o600 });
}

/** For a call that was rejected: undefined when nothing is there, else thrown on. */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}

/** Undefined when it is not there. */
export async function readText(file: string): Promise<string | undefined> {
  const handle = await openPlainFile(file).catch(absent);
  try {
    return await handle?.readFile('utf8');
  } finally {
    await handle?.close();
  }
}

/** What the JSON file holds; undefined when it is not there, null when it can't be parsed. Rejects when it can't be read. */
export async function readJson(file: string): Promise<unknown> {
  const text = await readText(file);
  return text === undefined ? undefined : parsedJson(text);
}

/** Null when it can't be parsed. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`;

const sorted = (record: Record<string, string>) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
