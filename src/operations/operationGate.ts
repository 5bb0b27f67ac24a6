import type { AuditEvent, AuditLog } from '../core/auditLog.ts';
import type { SwarmConfig, Verdict } from '../model/config.ts';
import {
  confirmationRefused,
  denied,
  destroyLimitReached,
  invalidInput,
  isAbort,
  messageOf,
  SwarmError,
  unexpectedFailure,
  unknownOperation,
} from '../model/errors.ts';
import { refusalOf } from '../model/stateHindrance.ts';
import { bytesOf, visible } from '../model/textCut.ts';
import type { BlastRadius, Reservation } from './blastRadius.ts';
import { catalog } from './catalog.ts';
import { consentOf } from './consentOf.ts';
import type { Operation, OperationCall, PreparedOperation, RunContext, SeenOperation } from './operation.ts';
import { isCapped, judge } from './policy.ts';
import type { Swarm } from './swarm.ts';
import type { Target } from './targets.ts';
import { inEnglish, type Translate } from './translate.ts';

export type { Confirmation, OperationCall } from './operation.ts';

const mostInputBytes = 256 * 1024;

/** What the gate reads of the settings, at each call. */
export type GateSettings = Pick<SwarmConfig, 'policy' | 'agentDestroyLimit'>;

/** What a question to a person needs beside the operation's own words. */
export interface GateTexts {
  readonly translate: Translate;
  /** Told what could not be written to the audit log after the deed, and what else nobody waits for. */
  warn(message: string): void;
}

const plainTexts: GateTexts = { translate: inEnglish, warn: () => {} };

/**
 * The one door to the swarm (semantics 31 to 33). Every call is parsed, judged by the policy, held to the cap on what
 * agents destroy, put to a person where the verdict says so, and written to the audit log before and after it is run.
 * A call that fails at any of these has changed nothing.
 */
export class OperationGate {
  readonly #swarm: Swarm;
  readonly #audit: Pick<AuditLog, 'append'>;
  readonly #blastRadius: BlastRadius;
  readonly #settings: () => GateSettings;
  readonly #texts: GateTexts;
  readonly #operations: ReadonlyMap<string, Operation>;

  constructor(
    swarm: Swarm,
    audit: Pick<AuditLog, 'append'>,
    blastRadius: BlastRadius,
    settings: () => GateSettings,
    texts: GateTexts = plainTexts,
    operations: readonly Operation[] = catalog,
  ) {
    this.#swarm = swarm;
    this.#audit = audit;
    this.#blastRadius = blastRadius;
    this.#settings = settings;
    this.#texts = texts;
    this.#operations = new Map(operations.map(operation => [operation.name, operation]));
  }

  /**
   * Resolves with what the operation's output schema promises. Rejects with `SwarmError`, or with an `AbortError` when
   * the caller gave up or, being a person, said no.
   */
  async invoke(name: string, input: unknown, call: OperationCall): Promise<unknown> {
    const operation = this.#operations.get(name);
    if (!operation) throw unknownOperation(name.slice(0, 64), [...this.#operations.keys()]);
    const { caller, actor } = call;
    const event: AuditEvent = {
      actor,
      caller,
      operation: name,
      effect: operation.effect,
      phase: 'rejected',
      targets: [],
    };
    try {
      call.signal.throwIfAborted();
      checkSize(operation.title, input);
      const prepared = operation.prepare(input, this.#swarm);
      event.arguments = asJson(prepared.arguments);
      const targets = prepared.targets(this.#swarm);
      event.targets = targets.map(({ id }) => id);
      event.phase = 'denied';
      const verdict = this.#judge(operation, prepared, call);
      return await this.#reserveAndRun(operation, prepared, targets, verdict, call, event);
    } catch (error) {
      // Only what was run can have said a secret; what is refused before says what it was given, and would tell a guess.
      const said = event.phase === 'failed' ? event.targets : [];
      const known = this.#swarm.masks.of(...said).error(asKnown(operation.title, error, call.signal));
      if (isCancellation(known, call.signal)) event.phase = 'cancelled';
      const code = known instanceof SwarmError ? { code: known.code } : {};
      await this.#appendQuietly({ ...event, outcome: messageOf(known), ...code });
      throw known;
    }
  }

  #judge(operation: Operation, { isFinal }: PreparedOperation, { caller }: OperationCall): Verdict {
    const { hindrance } = this.#swarm.claim;
    if (hindrance && !operation.worksElsewhere) throw refusalOf(hindrance);
    const verdict = judge(caller, { ...operation, isFinal }, this.#settings().policy);
    if (verdict !== 'deny') return verdict;
    const label = `"${operation.title}"`;
    if (operation.audience === 'controller') throw denied(label, 'it comes by itself', 'Wait for it.');
    throw operation.audience === 'person' && caller !== 'person'
      ? denied(label, 'it is for persons only', 'Ask the person to do it in the Instances view.')
      : denied(
          label,
          `the policy does not let the caller "${caller}" ${verbs[operation.effect]}`,
          'A person may do it in the Instances view, or change the setting remoteSwarm.policy.',
        );
  }

  async #reserveAndRun(
    operation: Operation,
    prepared: PreparedOperation,
    targets: readonly Target[],
    verdict: Verdict,
    call: OperationCall,
    event: AuditEvent,
  ): Promise<unknown> {
    if (!isCapped(call.caller, { effect: operation.effect, isFinal: prepared.isFinal })) {
      return await this.#confirmAndRun(operation, prepared, { targets, refused: new Map() }, verdict, call, event);
    }
    const limit = this.#settings().agentDestroyLimit;
    const reservation = await this.#blastRadius.reserve(event.targets, limit);
    const refusal = destroyLimitReached(limit, reservation.retryAt?.toTimeString().slice(0, 5));
    const [granted, others] = split(targets, reservation);
    const refused = new Map(others.map(({ id }) => [id, refusal]));
    const permit = async (instanceId: string) => {
      const limitNow = this.#settings().agentDestroyLimit;
      if (!reservation.granted.has(instanceId) || !(await reservation.permits(instanceId, limitNow)))
        throw destroyLimitReached(limitNow, undefined);
    };
    let outcomes: Readonly<Record<string, string>> = {};
    // What nothing brings back counts however it ended; of a delete, what was deleted or is going to be.
    const isGone = (id: string) => operation.effect !== 'destroy' || outcomes[id] === 'done' || this.#isDoomed(id);
    const told = (done: typeof outcomes) => {
      outcomes = done;
    };
    try {
      if (reservation.granted.size === 0) throw refusal;
      const scope = { targets: granted, refused, permit };
      return await this.#confirmAndRun(operation, prepared, scope, verdict, call, event, told);
    } finally {
      // Only what was begun can have destroyed anything.
      const begun = event.phase === 'failed' || event.phase === 'done';
      const destroyed = [...reservation.granted].filter(id => begun && isGone(id));
      await reservation.close(destroyed).catch(error => this.#texts.warn(messageOf(error)));
    }
  }

  async #confirmAndRun(
    operation: Operation,
    prepared: PreparedOperation,
    scope: Pick<RunContext, 'targets' | 'refused' | 'permit'>,
    verdict: Verdict,
    call: OperationCall,
    event: AuditEvent,
    told: (outcomes: Readonly<Record<string, string>>) => void = () => {},
  ): Promise<unknown> {
    const seen = await prepared.look(this.#swarm);
    if (verdict === 'confirm') {
      await this.#confirm(operation, seen, scope, call);
      // The settings may be others by now.
      this.#judge(operation, prepared, call);
    }
    call.signal.throwIfAborted();
    await this.#appendFirst(operation, { ...event, phase: 'asked' });
    event.phase = 'failed';
    const ctx: RunContext = {
      ...scope,
      signal: call.signal,
      report: (message, fraction) => call.report(message, fraction),
      consent: consentOf(call, this.#texts.translate, outcome => this.#append({ ...event, phase: 'asked', outcome })),
      by: { caller: call.caller, actor: call.actor },
      ...(call.secrets && { secrets: call.secrets }),
    };
    const { output, outcomes, made } = await seen.run(this.#swarm, ctx);
    if (outcomes) told(outcomes);
    if (made !== undefined) event.targets = [made];
    event.phase = 'done';
    await this.#appendQuietly({ ...event, ...(outcomes && { outcome: summary(outcomes) }) });
    // What instances have said is masked where it comes from: what an agent has written itself must not tell it a guess.
    return call.caller === 'agent' || call.caller === 'client' ? this.#swarm.masks.of().value(output) : output;
  }

  async #confirm(
    operation: Operation,
    seen: SeenOperation,
    { targets, refused }: Pick<RunContext, 'targets' | 'refused'>,
    call: OperationCall,
  ): Promise<void> {
    const { translate } = this.#texts;
    const { title, detail, action } = seen.question(translate, targets, this.#swarm);
    const asker = call.caller === 'person' ? [] : [translate('Asked by {0}, not by you.', visible(call.actor))];
    const left = refused.size > 0 ? [translate('The limit for agents leaves out {0} more.', refused.size)] : [];
    const agreed = await call.confirm({
      title,
      detail: [detail, ...left, ...asker].filter(Boolean).join('\n\n'),
      action,
    });
    if (agreed) return;
    throw call.caller === 'person'
      ? new DOMException('Not confirmed.', 'AbortError')
      : confirmationRefused(`"${operation.title}"`);
  }

  /** What is not written down before is not done, but for what only reads or stops. */
  async #appendFirst(operation: Operation, event: AuditEvent): Promise<void> {
    if (operation.worksUnaudited) await this.#appendQuietly(event);
    else await this.#append(event);
  }

  async #appendQuietly(event: AuditEvent): Promise<void> {
    await this.#append(event).catch(error => this.#texts.warn(messageOf(error)));
  }

  async #append(event: AuditEvent): Promise<void> {
    const { arguments: given, outcome } = event;
    const mask = this.#swarm.masks.all();
    await this.#audit.append({
      ...event,
      ...(given !== undefined && { arguments: mask.value(given) }),
      ...(outcome !== undefined && { outcome: mask.text(outcome) }),
    });
  }

  #isDoomed(id: string): boolean {
    const record = this.#swarm.registry.getInstance(id);
    return record === undefined || record.desired === 'trashed' || record.desired === 'absent';
  }
}

const verbs = {
  read: 'read',
  change: 'change anything',
  execute: 'run commands',
  destroy: 'delete anything',
} as const;

function checkSize(title: string, input: unknown): void {
  let text: string;
  try {
    text = JSON.stringify(input) ?? '';
  } catch {
    throw invalidInput(`The input of "${title}"`, ['input: must be JSON']);
  }
  if (bytesOf(text) <= mostInputBytes) return;
  throw invalidInput(`The input of "${title}"`, [`input: must have at most ${mostInputBytes / 1024} kB`]);
}

/** Without members that are undefined, which JSON does not know. */
const asJson = (value: unknown): NonNullable<AuditEvent['arguments']> => JSON.parse(JSON.stringify(value ?? null));

const split = (targets: readonly Target[], { granted }: Reservation) =>
  [targets.filter(({ id }) => granted.has(id)), targets.filter(({ id }) => !granted.has(id))] as const;

const isCancellation = (error: unknown, signal: AbortSignal) =>
  isAbort(error) || (signal.aborted && error === signal.reason);

function asKnown(title: string, error: unknown, signal: AbortSignal): unknown {
  return error instanceof SwarmError || isCancellation(error, signal) ? error : unexpectedFailure(`"${title}"`, error);
}

/** `3 done`, or what failed and how: `2 done; abc: instance-busy`. */
function summary(outcomes: Readonly<Record<string, string>>): string {
  const failed = Object.entries(outcomes).filter(([, outcome]) => outcome !== 'done');
  const done = Object.keys(outcomes).length - failed.length;
  return [`${done} done`, ...failed.map(([id, code]) => `${id}: ${code}`)].join('; ');
}
