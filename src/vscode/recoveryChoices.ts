import { refusal } from '../core/health/recoveryLadder.ts';
import { attemptsWithin, budgetOf } from '../core/health/recoveryState.ts';
import type { HealthConfig } from '../model/config.ts';
import { type InstanceHealth, RecoveryRung } from '../model/health.ts';
import type { InstanceRecord } from '../model/instance.ts';

/** An act of recovery that a person may choose. */
export interface RecoveryChoice {
  readonly rung: RecoveryRung;
  /** Why it can't be used now, in a sentence. */
  readonly refusal?: string;
  /** The mildest that may help, as the ladder would choose; at most one of a list. */
  readonly proposed: boolean;
}

export interface RecoveryFacts {
  readonly record: InstanceRecord;
  readonly health: InstanceHealth | undefined;
  /** Whether its home is proven to be there; undefined when that could not be found out. */
  readonly hasHome: boolean | undefined;
  /** Whether there is another provider for it. */
  readonly canMigrate: boolean;
  readonly config: HealthConfig;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Every act, the proposed one first, those that can't be used last. */
export function recoveryChoices(facts: RecoveryFacts): RecoveryChoice[] {
  const { record, hasHome, canMigrate } = facts;
  const all = RecoveryRung.options.map(rung => {
    const why = refusal(rung, { record, hasHome, canMigrate });
    return { rung, ...(why !== undefined && { refusal: why }) };
  });
  const usable = all.filter(choice => choice.refusal === undefined).map(({ rung }) => rung);
  const proposal = proposalOf(usable, facts);
  const weight = (choice: { rung: RecoveryRung; refusal?: string }) =>
    choice.rung === proposal ? 0 : choice.refusal === undefined ? 1 : 2;
  return all.map(choice => ({ ...choice, proposed: choice.rung === proposal })).sort((a, b) => weight(a) - weight(b));
}

/** Of those that may help the mildest that the ladder may still use; where it may use none, the mildest. */
function proposalOf(usable: readonly RecoveryRung[], { health, config, now }: RecoveryFacts): RecoveryRung | undefined {
  const isGone = health?.checks.some(({ name, outcome }) => name === 'provider' && outcome === 'failed') ?? false;
  const helpful = usable.filter(rung => !(isGone && rung === 'restart'));
  const isLeft = (rung: RecoveryRung) => {
    if (!config.recoveryActions.includes(rung)) return false;
    const { most, window } = budgetOf(rung, config);
    const attempts = health === undefined ? [] : attemptsWithin(health.recovery, window, now);
    return attempts.filter(attempt => attempt.rung === rung).length < most;
  };
  return helpful.find(isLeft) ?? helpful[0];
}
