import { createHash } from 'node:crypto';
import * as z from 'zod';
import { Caller } from '../model/caller.ts';
import { Effect } from '../model/config.ts';
import { auditUnavailable } from '../model/errors.ts';
import type { AppendLog } from '../model/stateStore.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** One line of the audit log (semantics 31). */
export const AuditEntry = z.strictObject({
  time: z.iso.datetime(),
  /** Who, in words: the person's account, the chat's name, the client's name. */
  actor: z.string(),
  caller: Caller,
  operation: z.string(),
  effect: Effect,
  phase: z.enum(['asked', 'done', 'failed', 'denied', 'rejected', 'cancelled']),
  /** Ids of the instances that it is about. */
  targets: z.array(z.string()),
  /** The input, without secrets: whoever appends has taken them out. Any JSON. */
  arguments: z.json().optional(),
  /** How it ended, in one sentence. */
  outcome: z.string().optional(),
  /** Code of the error that ended it. */
  code: z.string().optional(),
  /** `hash` of the line before, of the same writer; 64 zeros in its first. */
  previous: Sha256,
  /** SHA-256 of the line as it would be without this member. */
  hash: Sha256,
});
export type AuditEntry = z.infer<typeof AuditEntry>;

/** What a caller says; the log adds the time and the chain. */
export type AuditEvent = Omit<AuditEntry, 'time' | 'previous' | 'hash'>;

/** Narrows {@link AuditLog.entries}. */
export interface AuditFilter {
  readonly instanceId?: string;
  readonly actor?: string;
}

/**
 * A place where the log is not as it was written. `line` counts from 1 over all files of the writer; `problem` goes on
 * after "line 3 of ann-desk".
 */
export interface AuditProblem {
  readonly writer: string;
  readonly line: number;
  readonly problem: string;
}

const beginning = '0'.repeat(64);

/** Days on which anything was written, the last ones, of which all entries are kept. */
const keptDays = 90;
/** Ends of chains that one entry tells of, the last ones: what was written long ago is gone on with by nobody. */
const mostHeads = 1_000;
/** Says which lines were removed since they were older. */
const pruning = 'prune_audit_log';
/** Of each writer the last line that was removed, so that what follows it is proven to. */
const Heads = z.object({ heads: z.array(z.object({ writer: z.string(), hash: Sha256 })) });
type Head = z.infer<typeof Heads>['heads'][number];

const sealed = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/;

/**
 * The log of everything that was asked of the swarm. Each line holds the hash of the one before, so that a line which was
 * changed, removed, inserted or moved shows. What a chain cannot show: that the last lines of another process, or all of
 * them, are gone; and a forger who writes the whole rest of a chain anew. What is older than the last days on which
 * anything was written is removed; an entry says with which line of each chain that ended.
 */
export class AuditLog {
  readonly #log: AppendLog;
  #turn: Promise<void> = Promise.resolve();
  readonly #mayPrune: () => boolean;
  /** The day of the last look at what is too old. */
  #prunedOn = '';
  /** Hashes of what this process wrote, from its first line to its last. */
  #own: { first: string; last: string; lines: number } | undefined;

  /** `mayPrune`: whether what is in the folder is ours to remove. */
  constructor(log: AppendLog, mayPrune: () => boolean = () => true) {
    this.#log = log;
    this.#mayPrune = mayPrune;
  }

  /** Resolves when the line is on the disk. Lines come in the order of the calls. Rejects with `audit-unavailable`. */
  append(event: AuditEvent): Promise<void> {
    const turn = this.#turn.then(() => this.#write(event));
    // What can't be removed now is on another day.
    this.#turn = turn.then(() => this.#prune()).catch(() => {});
    return turn;
  }

  /** Every readable line of every writer, by time. */
  async entries(filter: AuditFilter = {}): Promise<AuditEntry[]> {
    const { instanceId, actor } = filter;
    const chains = await this.#log.readAll();
    return chains
      .flatMap(({ lines }) => lines.flatMap(line => parse(line) ?? []))
      .filter(entry => instanceId === undefined || entry.targets.includes(instanceId))
      .filter(entry => actor === undefined || entry.actor === actor)
      .sort((one, other) => Date.parse(one.time) - Date.parse(other.time));
  }

  /** Follows every chain; empty when all is as it was written. */
  async verify(): Promise<AuditProblem[]> {
    await this.#turn;
    const own = this.#own;
    const chains = await this.#log.readAll();
    const heads = chains.flatMap(({ lines }) => lines.flatMap(headsIn));
    const problems = chains.flatMap(({ writer, lines, problem }) => [
      ...problemsOf(
        lines,
        heads.filter(head => head.writer === writer).map(({ hash }) => hash),
      ).map(found => ({ writer, ...found })),
      ...(problem === undefined ? [] : [{ writer, line: lines.length + 1, problem: `cannot be read (${problem})` }]),
    ]);
    if (own !== undefined) {
      const has = (hash: string) => chains.find(({ lines }) => lines.some(line => hashOf(line) === hash));
      if (!has(own.last) && !heads.some(({ hash }) => hash === own.last)) {
        const writer = has(own.first)?.writer ?? 'this window';
        problems.push({ writer, line: own.lines, problem: 'is gone, the last one that this window wrote' });
      }
    }
    return problems;
  }

  /** Once a day, whichever window is the first to write. */
  async #prune(): Promise<void> {
    const today = new Date(Date.now()).toISOString().slice(0, 10);
    if (this.#prunedOn === today || !this.#mayPrune()) return;
    this.#prunedOn = today;
    await this.#log.prune(keptDays, async going => {
      const ended = going.flatMap(({ writer, lines }) => {
        const hash = lines.map(hashOf).findLast(each => each !== undefined);
        return hash === undefined ? [] : [{ writer, hash }];
      });
      const writers = new Set(ended.map(({ writer }) => writer));
      // A window may write again after long: what an entry tells that goes itself is told anew.
      const still = going.flatMap(({ lines }) => lines.flatMap(headsIn)).filter(({ writer }) => !writers.has(writer));
      await this.#write({
        ...{ actor: 'audit log', caller: 'controller', operation: pruning, effect: 'destroy', phase: 'done' },
        ...{ targets: [], arguments: { heads: [...still, ...ended].slice(-mostHeads) } },
        outcome: `Entries of other days than the last ${keptDays} on which anything was written are removed.`,
      });
    });
  }

  async #write(event: AuditEvent): Promise<void> {
    try {
      const time = new Date(Date.now()).toISOString();
      const { line, hash } = seal(JSON.stringify({ time, ...event, previous: this.#own?.last ?? beginning }));
      await this.#log.append(line);
      this.#own = { first: this.#own?.first ?? hash, last: hash, lines: (this.#own?.lines ?? 0) + 1 };
    } catch (error) {
      throw auditUnavailable(error);
    }
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** Puts the hash of `body`, a JSON object, as its last member. */
function seal(body: string): { line: string; hash: string } {
  const hash = sha256(body);
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}`, hash };
}

/** The hash that a line states, whether it fits or not. */
function hashOf(line = ''): string | undefined {
  return sealed.exec(line)?.[2];
}

function parse(line: string): AuditEntry | undefined {
  try {
    return AuditEntry.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** What an entry says of lines that were removed, unless it was changed. */
function headsIn(text: string): Head[] {
  if (!text.includes(pruning) || !isSealed(text)) return [];
  const { operation, caller, arguments: said } = parse(text) ?? {};
  return operation === pruning && caller === 'controller' ? (Heads.safeParse(said).data?.heads ?? []) : [];
}

function isSealed(text: string): boolean {
  const [, body, hash] = sealed.exec(text) ?? [];
  return body !== undefined && sha256(`${body}}`) === hash;
}

/** `heads`: last lines of what was removed of the chain. */
function problemsOf(lines: readonly string[], heads: readonly string[]): { line: number; problem: string }[] {
  const problems: { line: number; problem: string }[] = [];
  let previous: string | undefined = beginning;
  for (const [index, text] of lines.entries()) {
    const line = index + 1;
    const hash = hashOf(text);
    const said = parse(text)?.previous;
    const follows = said === previous || (index === 0 && said !== undefined && heads.includes(said));
    if (!isSealed(text)) problems.push({ line, problem: 'was changed, or written only in part' });
    else if (!follows) {
      problems.push({ line, problem: 'does not follow the one before: a line was removed, inserted or moved' });
    }
    previous = hash ?? previous;
  }
  return problems;
}
