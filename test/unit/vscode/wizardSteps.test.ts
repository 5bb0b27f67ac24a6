import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InstanceConfig } from '../../../src/model/instance.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import {
  answered,
  back,
  firstState,
  jumpTo,
  positionOf,
  presetsFor,
  problemOf,
  requestOf,
  type StepId,
  stepsOf,
  type WizardFacts,
  type WizardProvider,
  type WizardState,
} from '../../../src/vscode/wizardSteps.ts';

const place = (id: string, change: Partial<WizardProvider> = {}): WizardProvider => ({
  id,
  reachable: true,
  images: false,
  limits: false,
  capabilities: {
    supportsLiveResize: false,
    supportsSnapshotting: false,
    supportsMultiRegion: false,
    maxInstancesPerUser: 100,
    maxResourcesPerInstance: { cpu: { cores: 4 }, memory: { min: 128, max: 8192 } },
  },
  ...change,
});

const facts: WizardFacts = {
  takenNames: ['Taken'],
  providers: [
    place('local'),
    place('docker', { images: true, limits: true }),
    place('down', { reachable: false, limits: true }),
  ],
  t: inEnglish,
};

/** Answers in turn, each for the step that is asked. */
function walk(answers: Partial<Record<StepId, string>>, from: WizardState = firstState): WizardState {
  let state = from;
  for (let steps = 0; state.step !== 'summary' && steps < 100; steps++) {
    const next = answered(state, answers[state.step] ?? '', facts);
    if (next === state)
      throw new Error(`stuck at ${state.step}: ${problemOf(state, answers[state.step] ?? '', facts)}`);
    state = next;
  }
  return state;
}

describe('the create wizard', () => {
  test('the short way: a name and Enter', () => {
    const state = walk({ name: 'shop', provider: 'local' });
    expect(stepsOf(state, facts)).toEqual(['name', 'provider', 'source', 'options', 'summary']);
    const { config, provider, secrets } = requestOf(state, facts);
    expect(provider).toBe('local');
    expect(secrets).toEqual({});
    expect(InstanceConfig.parse(config)).toMatchObject({ name: 'shop', source: { kind: 'empty' }, resources: {} });
  });

  test('a region is asked for where the chosen provider has some, and none where nothing is chosen', () => {
    const cloud = place('cloud');
    const capabilities = { ...cloud.capabilities, supportsMultiRegion: true, supportedRegions: ['ams', 'fra'] };
    const both = { ...facts, providers: [...facts.providers, { ...cloud, capabilities }] };
    const at = (provider: string, region?: string) =>
      ({ step: 'summary', answers: { name: 'shop', provider, ...(region && { region }) } }) as const;
    expect(stepsOf(at('cloud'), both)).toEqual(['name', 'provider', 'source', 'region', 'options', 'summary']);
    expect(requestOf(at('cloud', 'fra'), both).config.region).toBe('fra');
    for (const provider of ['local', '']) {
      expect(stepsOf(at(provider), both)).not.toContain('region');
      expect(requestOf(at(provider, 'fra'), both).config.region).toBeUndefined();
    }
  });

  test('the long way: everything is asked and nothing is lost', () => {
    const state = walk({
      name: ' shop ',
      provider: 'docker',
      source: 'git',
      gitUrl: 'https://github.com/o/r',
      gitRef: 'main',
      size: 'custom',
      cpuCores: '1.5',
      memoryGb: '2.9297',
      options: 'image extensions env secretEnv ports metadata',
      image: 'debian:bookworm',
      extensions: 'ms-python.python, golang.go@0.46.1',
      env: 'MODE=dev GREETING="hello world"',
      secretEnv: 'API_TOKEN',
      'secret:API_TOKEN': 's3cret',
      ports: '3000 8080',
      metadata: 'team=web',
    });
    expect(requestOf(state, facts)).toEqual({
      provider: 'docker',
      secrets: { API_TOKEN: 's3cret' },
      config: {
        name: 'shop',
        source: { kind: 'git', url: 'https://github.com/o/r', ref: 'main' },
        resources: { cpuCores: 1.5, memoryMb: 3000 },
        image: 'debian:bookworm',
        env: { MODE: 'dev', GREETING: 'hello world' },
        secretEnv: ['API_TOKEN'],
        ports: [3000, 8080],
        extensions: ['ms-python.python', 'golang.go@0.46.1'],
        metadata: { team: 'web' },
      },
    });
  });

  test('size is asked where it is enforced, and offers what fits', () => {
    const at = (provider: string) => walk({ name: 'a', provider });
    expect(stepsOf(at('local'), facts)).not.toContain('size');
    expect(stepsOf(at('docker'), facts)).toContain('size');
    // "Choose for me": docker, which answers, enforces it.
    expect(presetsFor(at(''), facts)).toEqual(['small', 'medium', 'large']);
  });

  test('an answer that another choice made moot is not taken along', () => {
    const chosen = walk({ name: 'a', provider: 'docker', size: 'large', options: 'image', image: 'debian' });
    const changed = walk({ provider: 'local', source: 'empty', options: '' }, jumpTo(chosen, 'provider', facts));
    expect(requestOf(changed, facts).config).toMatchObject({ resources: {} });
    expect(requestOf(changed, facts).config).not.toHaveProperty('image');
  });

  test.each<[StepId, string, RegExp]>([
    ['name', 'taken', /exists already/],
    ['name', '../x', /must be letters/],
    ['name', '', /must be letters/],
    ['gitUrl', 'https://me:pw@host/x', /must not hold a user/],
    ['gitUrl', 'rm -rf', /git URL/],
    ['gitRef', '--upload-pack=x', /branch, tag or commit/],
    ['cpuCores', 'many', /^must be a number$/],
    ['cpuCores', '5', /^must be at most 4$/],
    ['memoryGb', '0.1', /^must be at least 0.125 GB$/],
    ['memoryGb', '4096', /^must be at most 8 GB$/],
    ['ports', '80 70000', /^70000: must be at most 65535$/],
    ['ports', '3000 abc', /^abc: must be a number$/],
    ['ports', '3000.5', /^3000.5: must be a whole number$/],
    ['ports', Array.from({ length: 65 }, (_, index) => index + 1).join(' '), /^must have at most 64 entries$/],
    ['extensions', `a.${'b'.repeat(300)}`, /: must have at most 200 characters$/],
    ['metadata', `a=${'b'.repeat(2000)}`, /^a: must have at most 1024 characters$/],
    ['extensions', 'python', /python: must be/],
    ['env', 'A', /NAME=value/],
    ['env', 'A="x', /not closed/],
    ['env', 'HOME=/x', /reserved/],
    ['secretEnv', '1A', /1A: must be/],
  ])('%s refuses %j while it is typed', (step, text, why) => {
    expect(problemOf({ step, answers: {} }, text, facts)).toMatch(why);
  });

  test('whatever is answered, Back undoes a step and keeps its answer, and the end is a valid request', () => {
    const answer = fc.oneof(
      fc.constantFrom('', 'git', 'folder', 'empty', 'custom', 'small', 'docker', 'local', 'shop', '2', '3000', 'A=b'),
      fc.constantFrom(
        'https://h/o/r',
        '/tmp/x',
        'image env secretEnv',
        'a.b',
        'TOKEN KEY',
        'ports metadata extensions',
      ),
      fc.string(),
    );
    const move = fc.oneof({ weight: 4, arbitrary: answer }, { weight: 1, arbitrary: fc.constant(undefined) });
    fc.assert(
      fc.property(fc.array(move, { maxLength: 40 }), moves => {
        let state = firstState;
        for (const text of moves) {
          const { step, total } = positionOf(state, facts);
          expect(step).toBeGreaterThanOrEqual(1);
          expect(step).toBeLessThanOrEqual(total);
          if (text === undefined) state = back(state, facts) ?? state;
          else {
            const next = answered(state, text, facts);
            if (next !== state && state.step !== 'summary') {
              expect(back(next, facts)).toEqual({ step: state.step, answers: next.answers });
            }
            state = next;
          }
        }
        if (state.step === 'summary') {
          expect(InstanceConfig.safeParse(requestOf(state, facts).config).error).toBeUndefined();
        }
      }),
      { numRuns: 500 },
    );
  });
});
