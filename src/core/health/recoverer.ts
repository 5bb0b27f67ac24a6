import type { HealthConfig } from '../../model/config.ts';
import { isAbort, messageOf } from '../../model/errors.ts';
import type { Disposable } from '../../model/event.ts';
import type { RecoveryCause, RecoveryRung } from '../../model/health.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import type { OperationContext } from '../../model/operationContext.ts';
import type { Provider } from '../../model/provider.ts';
import { onOneLine } from '../../model/textCut.ts';
import type { HealthBook } from './healthBook.ts';
import { underRecovery } from './healthRules.ts';
import { causeOf } from './recoveryCause.ts';
import { type Decision, type LadderFacts, nextAct, withNext } from './recoveryLadder.ts';
import { withAttempt, withCrashLoop, withOutcome } from './recoveryState.ts';
import type { RoundFacts } from './roundFacts.ts';

/** Milliseconds after an act until its instance is looked at again; and after one that could not be counted. */
const secondLook = 2_000;
const uncountedLook = 10_000;

/** Characters that are kept of why an act failed. */
const mostSaid = 500;

/** Does one act of recovery through the gate, which audits it. Rejects when it failed. */
export type Recover = (instanceId: string, rung: RecoveryRung, reason: string, ctx: OperationContext) => Promise<void>;

/** An instance that was judged, with what the judgement stands on. */
export interface Patient {
  readonly provider: Provider;
  readonly record: InstanceRecord;
  readonly facts: RoundFacts;
}

/** How the fleet is at this moment. */
export interface Ward {
  readonly fleet: number;
  /** Why nothing is recovered at this patient's provider. */
  readonly frozen: string | undefined;
  readonly config: HealthConfig;
}

/** What the ladder has asked to be looked for; undefined while nobody did. */
type Seen = Pick<LadderFacts, 'hasHome' | 'canMigrate'>;

/** Climbs the ladder of each instance (semantics 12 to 14): one act at a time for each, counted on disk before it begins. */
export class Recoverer implements Disposable {
  readonly #book: HealthBook;
  readonly #recover: Recover;
  readonly #canMigrate: (record: InstanceRecord) => Promise<boolean>;
  readonly #lookAgain: (provider: Provider) => void;
  readonly #busy = new Set<string>();
  readonly #alarms = new Map<string, ReturnType<typeof setTimeout>>();

  /** `lookAgain` is called when the time has come for another look at a provider's instances. */
  constructor(
    book: HealthBook,
    recover: Recover,
    canMigrate: (record: InstanceRecord) => Promise<boolean>,
    lookAgain: (provider: Provider) => void,
  ) {
    this.#book = book;
    this.#recover = recover;
    this.#canMigrate = canMigrate;
    this.#lookAgain = lookAgain;
  }

  isBusyWith(instanceId: string): boolean {
    return this.#busy.has(instanceId);
  }

  /**
   * Decides what to do about a patient, says so in its health, and does it. `ward` is asked at each decision, `mayAct`
   * right before the act.
   */
  async consider(patient: Patient, ward: () => Ward, mayAct: () => boolean, ctx: OperationContext): Promise<void> {
    let seen: Seen = { hasHome: undefined, canMigrate: undefined };
    let decided = this.#decide(patient, ward(), seen);
    while (decided?.decision.do === 'look') {
      const { what } = decided.decision;
      try {
        seen = { ...seen, ...(await this.#see(patient, what, ctx)) };
        // A place may take its time, in which persons pause, reset or change the settings.
        decided = this.#decide(patient, ward(), seen);
      } catch (error) {
        ctx.signal.throwIfAborted();
        const whether = what === 'home' ? 'its home is safe' : 'it can be migrated';
        const why = `It could not be seen whether ${whether}: ${said(error)}`;
        decided = { cause: undefined, decision: { do: 'nothing', why } };
      }
    }
    if (decided) await this.#follow(patient, decided.cause, decided.decision, ward().config, mayAct, ctx);
  }

  dispose(): void {
    for (const alarm of this.#alarms.values()) clearTimeout(alarm);
    this.#alarms.clear();
  }

  async #see({ record, provider }: Patient, what: 'home' | 'refuge', ctx: OperationContext): Promise<Partial<Seen>> {
    return what === 'home'
      ? { hasHome: await provider.abilities.hasHome(record.id, ctx) }
      : { canMigrate: await this.#canMigrate(record) };
  }

  /** Undefined when it was forgotten, or is being recovered already. */
  #decide({ record, facts }: Patient, { config, fleet, frozen }: Ward, seen: Seen) {
    const health = this.#book.get(record.id);
    if (!health || this.#busy.has(record.id)) return undefined;
    const cause = causeOf(health, facts, config, seen.hasHome);
    const inRecovery = this.#busy.size;
    const now = Date.now();
    const decision = nextAct({ record, health, cause, ...seen, frozen, inRecovery, fleet, config, now });
    return { cause, decision };
  }

  async #follow(
    patient: Patient,
    cause: RecoveryCause | undefined,
    decision: Decision,
    config: HealthConfig,
    mayAct: () => boolean,
    ctx: OperationContext,
  ): Promise<void> {
    const { id } = patient.record;
    const health = this.#book.get(id);
    if (!health) return;
    const told = withNext(health, decision);
    if (decision.do === 'crash-loop') {
      const recovery = withCrashLoop(health.recovery, decision.why, Date.now());
      // Until it is written it is shown, and decided again at the next look.
      await this.#book.put({ ...told, recovery }, 'now').catch(() => {});
      return;
    }
    // In the same turn as the decision: who decides next counts it among those in recovery.
    if (decision.do === 'act' && cause !== undefined && mayAct()) {
      void this.#act(patient, decision.rung, cause, decision.why, config, mayAct, ctx);
      return;
    }
    if (decision.do === 'wait') this.#lookLater(patient, decision.until - Date.now());
    await this.#book.put(told, 'later');
  }

  /** Never rejects: what came of it is in the health. */
  async #act(
    patient: Patient,
    rung: RecoveryRung,
    cause: RecoveryCause,
    why: string,
    config: HealthConfig,
    mayAct: () => boolean,
    ctx: OperationContext,
  ): Promise<void> {
    const { id } = patient.record;
    const health = this.#book.get(id);
    if (!health) return;
    this.#busy.add(id);
    try {
      const recovery = withAttempt(health.recovery, { rung, cause, at: Date.now() }, config);
      const attempt = recovery.attempts.at(-1);
      if (!attempt) return;
      try {
        await this.#book.put({ ...underRecovery(health, attempt, config), recovery }, 'now');
      } catch (error) {
        // What can't be counted is not done: a restart of this window would do it again and again.
        await this.#book.put(withNext(health, uncounted(rung, error)), 'with-the-next');
        if (!ctx.signal.aborted) this.#lookLater(patient, uncountedLook);
        return;
      }
      if (!mayAct()) return;
      const outcome = await this.#recover(id, rung, `${health.reason} ${why}`, ctx).then(
        () => ({ outcome: 'succeeded' as const, note: undefined }),
        error => ({ outcome: 'failed' as const, note: isAbort(error) ? 'It was cancelled.' : said(error) }),
      );
      const after = this.#book.get(id);
      if (after) {
        const ended = withOutcome(after.recovery, outcome.outcome, outcome.note);
        await this.#book.put({ ...after, recovery: ended }, 'now');
      }
    } catch {
      // The disk refuses; what is known is shown, and the next look goes on.
    } finally {
      this.#busy.delete(id);
    }
    if (ctx.signal.aborted) return;
    this.#lookAgain(patient.provider);
    this.#lookLater(patient, secondLook);
  }

  #lookLater({ record, provider }: Patient, milliseconds: number): void {
    clearTimeout(this.#alarms.get(record.id));
    const ring = () => {
      this.#alarms.delete(record.id);
      this.#lookAgain(provider);
    };
    this.#alarms.set(record.id, setTimeout(ring, Math.max(0, milliseconds)));
  }
}

/** A message may hold what a server inside the instance has printed. */
const said = (error: unknown) => onOneLine(messageOf(error), mostSaid);

const uncounted = (rung: RecoveryRung, error: unknown): Decision => ({
  ...({ do: 'wait', rung, until: Date.now() + uncountedLook } as const),
  why: `Nothing is done while its state cannot be written: ${said(error)}`,
});
