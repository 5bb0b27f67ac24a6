import { describe, expect, test } from 'vitest';
import { Caller } from '../../../src/model/caller.ts';
import { defaultPolicy, Effect, type Policy, Verdict } from '../../../src/model/config.ts';
import { isCapped, judge } from '../../../src/operations/policy.ts';

const cells = Caller.options.flatMap(caller =>
  Effect.options.flatMap(effect => Verdict.options.map(verdict => ({ caller, effect, verdict }))),
);

/** A policy with one verdict in one cell and its opposite everywhere else, so that reading a wrong cell shows. */
function policyWith(caller: Caller, effect: Effect, verdict: Verdict): Policy {
  const other = verdict === 'deny' ? 'allow' : 'deny';
  const row = { read: other, change: other, execute: other, destroy: other } as const;
  const policy: Policy = { person: { ...row }, agent: { ...row }, client: { ...row }, controller: { ...row } };
  policy[caller][effect] = verdict;
  return policy;
}

describe('the policy', () => {
  test.each(cells)('$caller may $effect: $verdict', ({ caller, effect, verdict }) => {
    const asks = caller === 'person' && effect === 'destroy' && verdict === 'allow';
    const judged = judge(
      caller,
      { effect, audience: 'agent', alwaysAsks: false, isFinal: false },
      policyWith(caller, effect, verdict),
    );
    expect(judged).toBe(asks ? 'confirm' : verdict);
  });

  test.each(cells)('person-only: $caller, $effect, $verdict', ({ caller, effect, verdict }) => {
    const judged = judge(
      caller,
      { effect, audience: 'person', alwaysAsks: false, isFinal: false },
      policyWith(caller, effect, verdict),
    );
    const asks = effect === 'destroy' && verdict === 'allow';
    expect(judged).toBe(caller !== 'person' ? 'deny' : asks ? 'confirm' : verdict);
  });

  test.each(cells)('our own: $caller, $effect, $verdict', ({ caller, effect, verdict }) => {
    const own = { effect, audience: 'controller', alwaysAsks: false, isFinal: false } as const;
    expect(judge(caller, own, policyWith(caller, effect, verdict))).toBe(caller === 'controller' ? 'allow' : 'deny');
  });

  test('what always asks, asks a person, and no denial is softened', () => {
    const operation = { effect: 'change', audience: 'person', alwaysAsks: true, isFinal: false } as const;
    expect(judge('person', operation, defaultPolicy)).toBe('confirm');
    expect(judge('person', operation, policyWith('person', 'change', 'deny'))).toBe('deny');
  });

  test('by default agents read and change, and destroy only after our own question', () => {
    const verdicts = Effect.options.map(effect =>
      judge('agent', { effect, audience: 'agent', alwaysAsks: false, isFinal: false }, defaultPolicy),
    );
    expect(verdicts).toEqual(['allow', 'allow', 'allow', 'confirm']);
  });

  test('only programs are capped, and only when they destroy', () => {
    const capped = Caller.options.flatMap(caller =>
      Effect.options
        .filter(effect => isCapped(caller, { effect, isFinal: false }))
        .map(effect => `${caller} ${effect}`),
    );
    expect(capped).toEqual(['agent destroy', 'client destroy']);
    expect(Caller.options.filter(caller => isCapped(caller, { effect: 'change', isFinal: true }))).toEqual([
      'agent',
      'client',
    ]);
  });

  test('what nothing brings back is asked of a person when a program wants it, whatever the policy allows', () => {
    const final = { effect: 'change', audience: 'agent', alwaysAsks: false, isFinal: true } as const;
    const verdicts = Caller.options.map(caller => judge(caller, final, policyWith(caller, 'change', 'allow')));
    expect(verdicts).toEqual(['allow', 'confirm', 'confirm', 'allow']);
    expect(judge('agent', final, policyWith('agent', 'change', 'deny'))).toBe('deny');
  });
});
