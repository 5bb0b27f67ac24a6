import { AsyncLocalStorage } from 'node:async_hooks';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const lives = new AsyncLocalStorage<MortalLife>();

/**
 * What a process does to the world from within {@link run}, until it dies: right before one of its changes, on the disk
 * or at a place, counted from 1. Nothing that it had begun is gone on with then, as after a kill -9: what it calls never
 * answers, and its files are as they were left.
 */
export class MortalLife {
  readonly #diesAt: number;
  readonly #die: () => void;
  readonly #died = Promise.withResolvers<'died'>();
  readonly #watchers: fs.FSWatcher[] = [];
  /** What each change was, in their order. */
  readonly changes: string[] = [];
  isOver = false;
  #counts = false;

  /** 0: never. `die`: of a life that is all that a real process does. */
  constructor(diesAt = 0, die = () => {}) {
    this.#diesAt = diesAt;
    this.#die = die;
  }

  /** What is done within `work` is done by this process. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return lives.run(this, work);
  }

  /** The same, from whose beginning on changes are counted; it may be the last that it does. */
  async act(work: () => Promise<unknown>): Promise<'died' | 'done'> {
    this.#counts = true;
    const done = this.run(work).then(() => 'done' as const);
    done.catch(() => {});
    const end = await Promise.race([done, this.#died.promise]);
    this.#counts = false;
    return end;
  }

  /** Ends it where it is. */
  end(): void {
    this.isOver = true;
    for (const watcher of this.#watchers) watcher.close();
  }

  /** Resolves when it may make a change. */
  async moment(what: string): Promise<void> {
    if (this.#dies(what)) await new Promise<never>(() => {});
  }

  momentNow(what: string): void {
    if (this.#dies(what)) throw new Error('This process has ended.');
  }

  keep(watcher: fs.FSWatcher): fs.FSWatcher {
    this.#watchers.push(watcher);
    return watcher;
  }

  #dies(what: string): boolean {
    if (this.isOver) return true;
    if (!this.#counts) return false;
    this.changes.push(what);
    if (this.changes.length !== this.#diesAt) return false;
    this.#die();
    this.end();
    this.#died.resolve('died');
    return true;
  }
}

type Call = (...args: unknown[]) => unknown;

/** Locks end with their process; whoever comes next finds them free. */
const isLock = (file: unknown) => /\.lock(\.|$)|[/\\]locks[/\\]?/.test(String(file));
const isWriting = (flags: unknown) => typeof flags === 'string' && flags !== 'r';
/** What a call changes: of a rename, what it makes. */
const changed = (call: string, args: readonly unknown[]) => (call.startsWith('rename') ? args[1] : args[0]);
const named = (call: string, file: unknown) => `${call} ${String(file).split('/').slice(-2).join('/')}`;

/** Every call that changes files, of whoever runs in a {@link MortalLife}, from now on in this process. */
export function makeFilesMortal(): void {
  const promises = fs.promises as unknown as Record<string, Call>;
  for (const name of [
    'rename',
    'rm',
    'rmdir',
    'unlink',
    'mkdir',
    'cp',
    'copyFile',
    'link',
    'symlink',
    'writeFile',
    'open',
  ])
    wrap(promises, name, (call, args) =>
      name !== 'open' || isWriting(args[1]) ? waitFor(call, name, args) : call(...args),
    );
  const sync = fs as unknown as Record<string, Call>;
  for (const name of [
    'renameSync',
    'rmSync',
    'unlinkSync',
    'mkdirSync',
    'writeFileSync',
    'linkSync',
    'openSync',
    'writeSync',
    'futimesSync',
  ])
    wrap(sync, name, (call, args) => {
      const life = lives.getStore();
      const file = changed(name, args);
      if (!(isLock(file) || typeof file === 'number')) life?.momentNow(named(name, file));
      else if (life?.isOver) throw new Error('This process has ended.');
      return call(...args);
    });
  wrap(sync, 'watch', (call, args) => {
    const watcher = call(...args) as fs.FSWatcher;
    return lives.getStore()?.keep(watcher) ?? watcher;
  });
  syncBuiltinESMExports();
}

function wrap(target: Record<string, Call>, name: string, as: (call: Call, args: unknown[]) => unknown): void {
  const call = target[name]?.bind(target);
  if (!call) throw new Error(`There is no ${name}.`);
  target[name] = (...args) => as(call, args);
}

async function waitFor(call: Call, name: string, args: unknown[]): Promise<unknown> {
  const life = lives.getStore();
  const file = changed(name, args);
  if (!isLock(file) || life?.isOver) await life?.moment(named(name, file));
  return call(...args);
}
