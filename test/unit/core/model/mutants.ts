/** One rule broken: in `file`, below src, `from` is replaced by `to`. */
export interface Mutant {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const ladder = 'core/health/recoveryLadder.ts';
const rules = 'core/health/healthRules.ts';
const monitor = 'core/health/healthMonitor.ts';
const state = 'core/health/recoveryState.ts';

/** By the rule that each of them breaks; the model test has to find every one. */
export const mutants: Readonly<Record<string, Mutant>> = {
  'one restart more than its budget': {
    file: state,
    from: 'most: config.maxRecoveryAttempts,',
    to: 'most: config.maxRecoveryAttempts + 1,',
  },
  'counters are forgotten at the first good answer': {
    file: state,
    from: '>= config.resetAfter * 1000',
    to: '>= 0',
  },
  'what did not help is tried for ever': { file: state, from: '!helped || ', to: '' },
  'no wait between acts': { file: ladder, from: 'if (until > now)', to: 'if (until > now + 1e12)' },
  'the whole fleet is recovered at once': {
    file: ladder,
    from: 'Math.floor(config.fleetShare * facts.fleet)',
    to: 'facts.fleet',
  },
  'a crash loop is no end': { file: ladder, from: 'if (crashLoop) return', to: 'if (crashLoop && false) return' },
  'made anew without a look at the home': { file: ladder, from: 'facts.hasHome !== true', to: 'false' },
  'want of memory leads to another server': {
    file: ladder,
    from: "      return ['restart'];",
    to: "      return ['restart', 'recreate', 'migrate'];",
  },
  'a bad configuration is tried again': {
    file: ladder,
    from: "if (cause === 'bad-config') return",
    to: "if (cause === 'bad-config' && false) return",
  },
  'a window that opens forgets the counters': {
    file: 'core/health/healthBook.ts',
    from: 'this.#know(record.id, record);',
    to: 'this.#know(record.id, { ...record, recovery: { attempts: [] } });',
  },
  'what is paused is asked': { file: rules, from: '&& health?.pausedSince === undefined', to: '' },
  'what was stopped is recovered': {
    file: rules,
    from: "record.desired === 'running' &&",
    to: "record.desired !== 'absent' &&",
  },
  'a suspect provider is recovered at once': {
    file: monitor,
    from: 'if ((this.#suspectRounds.get(provider.id) ?? 0) > needed)',
    to: 'if (needed > 0)',
  },
  'an empty list is believed': { file: monitor, from: 'if (isTooMany(', to: 'if (false && isTooMany(' },
  'absence is believed without being confirmed': {
    file: 'core/health/places.ts',
    from: "confirmed: record.status === 'lost'",
    to: 'confirmed: true',
  },
  'delete takes the home along': {
    file: 'core/instanceLifecycle.ts',
    from: 'if (there) await provider.abilities.trashInstance(',
    to: 'if (there) await provider.deleteInstance(',
  },
  'a stop that failed is left at that': { file: 'core/settlement.ts', from: 'if (isStopLeft &&', to: 'if (false &&' },
};
