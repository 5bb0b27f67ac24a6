import { type Caller, isProgram } from '../model/caller.ts';
import type { Effect, Policy, Verdict } from '../model/config.ts';

/**
 * Who may call an operation at all: `person` only by a command or click, `agent` by anybody, and as a chat tool;
 * `controller` only we ourselves, since a person agreed to it before.
 */
export type Audience = 'agent' | 'person' | 'controller';

/** What the rules look at. */
export interface Judged {
  readonly effect: Effect;
  readonly audience: Audience;
  /** Asks a person first, whatever the policy allows. */
  readonly alwaysAsks: boolean;
  /** Nothing brings back what it destroys. */
  readonly isFinal: boolean;
}

/**
 * The gate's rule (semantics 32 and 33): person-only operations are for persons, and our own for us; what destroys never passes a person
 * without a question, and what nothing brings back no program (semantics 45); for the rest the policy's table decides. A denial is never softened.
 */
export function judge(caller: Caller, operation: Judged, policy: Policy): Verdict {
  if (operation.audience === 'controller') return caller === 'controller' ? 'allow' : 'deny';
  if (operation.audience === 'person' && caller !== 'person') return 'deny';
  const verdict = policy[caller][operation.effect];
  const asks = isProgram(caller)
    ? operation.isFinal
    : caller === 'person' && (operation.effect === 'destroy' || operation.alwaysAsks);
  return verdict === 'allow' && asks ? 'confirm' : verdict;
}

/** Whose destroys are counted: programs that decide by themselves, in this window or outside it. */
export function isCapped(caller: Caller, { effect, isFinal }: Pick<Judged, 'effect' | 'isFinal'>): boolean {
  return (effect === 'destroy' || isFinal) && isProgram(caller);
}
