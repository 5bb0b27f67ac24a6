import type * as z from 'zod';
import type { ProviderDirectory } from '../core/providerDirectory.ts';
import {
  EnvironmentName,
  ExtensionId,
  GitUrl,
  InstanceConfig,
  type InstanceConfigInput,
  NewInstanceName,
  Port,
  type WorkspaceSource,
} from '../model/instance.ts';
import { looksLike } from '../model/lookalike.ts';
import { problemsOf } from '../model/problemsOf.ts';
import type { ProviderCapabilities } from '../model/provider.ts';
import type { Translate } from '../operations/translate.ts';
import { parseAssignments, parseList } from './assignments.ts';
import { coresProblem, fits, isPreset, memoryProblem, type Preset, presets, toMb } from './sizes.ts';

/** One question of the wizard. `secret:NAME` asks for the value of a secret variable. */
export type StepId =
  | 'name'
  | 'provider'
  | 'source'
  | 'gitUrl'
  | 'gitRef'
  | 'folder'
  | 'region'
  | 'size'
  | 'cpuCores'
  | 'memoryGb'
  | 'options'
  | Option
  | `secret:${string}`
  | 'summary';

/** What may be added to an instance; all of it can be skipped. */
export const options = ['image', 'extensions', 'env', 'secretEnv', 'ports', 'metadata'] as const;
export type Option = (typeof options)[number];

/** A provider as the wizard offers it. */
export interface WizardProvider {
  readonly id: string;
  readonly reachable: boolean;
  readonly images: boolean;
  readonly limits: boolean;
  readonly capabilities: ProviderCapabilities;
}

export interface WizardFacts {
  readonly takenNames: readonly string[];
  readonly providers: readonly WizardProvider[];
  readonly t: Translate;
}

/** What was answered so far, as it was typed or chosen. Secrets are held here only while the wizard is open. */
export type Answers = Readonly<Partial<Record<StepId, string>>>;

export interface WizardState {
  readonly step: StepId;
  readonly answers: Answers;
}

export const firstState: WizardState = { step: 'name', answers: {} };

/** A provider as it is offered, from what is known of it. */
export function wizardProvider(providers: ProviderDirectory, id: string, reachable: boolean): WizardProvider {
  const { images, limits } = providers.get(id).abilities;
  return { id, reachable, images, limits, capabilities: providers.capabilities(id) };
}

/** The providers that the answers leave in play: the chosen one, or all that answer. */
function inPlay({ answers }: WizardState, { providers }: WizardFacts): WizardProvider[] {
  const chosen = answers.provider ?? '';
  return providers.filter(({ id, reachable }) => (chosen === '' ? reachable : id === chosen));
}

/** What the providers in play that can limit an instance have for it. */
const roomIn = (state: WizardState, facts: WizardFacts) =>
  inPlay(state, facts)
    .filter(({ limits }) => limits)
    .map(({ capabilities }) => capabilities.maxResourcesPerInstance);

/** Where the chosen provider can make a home; empty when it has no choice, or none was chosen. */
export function regionsFor(state: WizardState, facts: WizardFacts): readonly string[] {
  if (!state.answers.provider) return [];
  return inPlay(state, facts).flatMap(({ capabilities }) => capabilities.supportedRegions ?? []);
}

/** The sizes that fit a provider in play; empty when none of them limits anything. */
export function presetsFor(state: WizardState, facts: WizardFacts): Preset[] {
  const rooms = roomIn(state, facts);
  return (Object.keys(presets) as Preset[]).filter(name => rooms.some(room => fits(presets[name], room)));
}

/** The options that a provider in play can take. */
export function optionsFor(state: WizardState, facts: WizardFacts): Option[] {
  return options.filter(option => option !== 'image' || inPlay(state, facts).some(({ images }) => images));
}

/** Every step from the first to the last, as the answers so far have it. */
export function stepsOf(state: WizardState, facts: WizardFacts): StepId[] {
  const { answers } = state;
  const steps: StepId[] = ['name', 'provider', 'source'];
  if (answers.source === 'git') steps.push('gitUrl', 'gitRef');
  if (answers.source === 'folder') steps.push('folder');
  if (regionsFor(state, facts).length > 0) steps.push('region');
  if (inPlay(state, facts).some(({ limits }) => limits)) {
    steps.push('size');
    if (answers.size === 'custom') steps.push('cpuCores', 'memoryGb');
  }
  steps.push('options');
  const possible = optionsFor(state, facts);
  for (const option of parseList(answers.options ?? '')) {
    const step = possible.find(one => one === option);
    if (step !== undefined) steps.push(step);
    if (step === 'secretEnv') {
      steps.push(...new Set(parseList(answers.secretEnv ?? '').map(name => `secret:${name}` as const)));
    }
  }
  return [...steps, 'summary'];
}

/** "Step 2 of 7": counted from 1. */
export function positionOf(state: WizardState, facts: WizardFacts): { step: number; total: number } {
  const steps = stepsOf(state, facts);
  return { step: steps.indexOf(state.step) + 1, total: steps.length };
}

/** The state after this answer. An answer with a problem changes nothing. */
export function answered(state: WizardState, answer: string, facts: WizardFacts): WizardState {
  if (problemOf(state, answer, facts) !== undefined) return state;
  const next = { ...state, answers: { ...state.answers, [state.step]: answer } };
  const steps = stepsOf(next, facts);
  return { ...next, step: steps[steps.indexOf(state.step) + 1] ?? 'summary' };
}

/** One step back, with everything answered kept; undefined at the first. */
export function back(state: WizardState, facts: WizardFacts): WizardState | undefined {
  const steps = stepsOf(state, facts);
  const step = steps[steps.indexOf(state.step) - 1];
  return step && { ...state, step };
}

/** Back to a step that was answered already, to change it; a step that is not there changes nothing. */
export function jumpTo(state: WizardState, step: StepId, facts: WizardFacts): WizardState {
  return stepsOf(state, facts).includes(step) ? { ...state, step } : state;
}

/** What is wrong first; a field below the value is named. */
function firstProblem(schema: z.ZodType, value: unknown): string | undefined {
  const { error } = schema.safeParse(value, { reportInput: true });
  return error && problemsOf(error, '')[0];
}

/** What is wrong with an answer to the state's step while it is typed; undefined when it can be taken. */
export function problemOf(state: WizardState, answer: string, facts: WizardFacts): string | undefined {
  const { t } = facts;
  const { step } = state;
  const each = (schema: z.ZodType, items: readonly string[], read: (item: string) => unknown = item => item) => {
    for (const item of items) {
      const problem = firstProblem(schema, read(item));
      if (problem !== undefined) return t('{0}: {1}', item, problem);
    }
    return undefined;
  };
  switch (step) {
    case 'name':
      if (facts.takenNames.some(looksLike(answer.trim()))) {
        return t('An instance of this name exists already.');
      }
      return firstProblem(NewInstanceName, answer.trim());
    case 'gitUrl':
      return firstProblem(GitUrl, answer.trim());
    case 'gitRef':
      return sourceProblem({ kind: 'git', url: 'https://host/path', ...(answer.trim() && { ref: answer.trim() }) });
    case 'folder':
      return sourceProblem({ kind: 'folder', path: answer });
    case 'cpuCores':
      return answer.trim() === '' ? undefined : coresProblem(answer, roomIn(state, facts), t);
    case 'memoryGb':
      return answer.trim() === '' ? undefined : memoryProblem(answer, roomIn(state, facts), t);
    case 'image':
      return answer.trim() === '' ? undefined : firstProblem(InstanceConfig.shape.image, answer.trim());
    case 'extensions':
      return each(ExtensionId, parseList(answer)) ?? firstProblem(InstanceConfig.shape.extensions, parseList(answer));
    case 'secretEnv':
      return (
        each(EnvironmentName, parseList(answer)) ?? firstProblem(InstanceConfig.shape.secretEnv, parseList(answer))
      );
    case 'ports':
      return (
        each(Port, parseList(answer), Number) ?? firstProblem(InstanceConfig.shape.ports, parseList(answer).map(Number))
      );
    case 'env':
    case 'metadata': {
      const parsed = parseAssignments(answer);
      if ('pairs' in parsed) return firstProblem(InstanceConfig.shape[step], parsed.pairs);
      return parsed.problem === 'quote'
        ? t('A quote is not closed: {0}', parsed.at)
        : t('{0}: must be NAME=value', parsed.at);
    }
    default:
      return undefined;
  }
}

/** The question itself names the field. */
const sourceProblem = (source: unknown) => firstProblem(InstanceConfig.shape.source, source)?.replace(/^\w+: /, '');

/** What is asked of the swarm when the wizard is done: a secret's value is never part of the config. */
export function requestOf(
  state: WizardState,
  facts: WizardFacts,
): { config: InstanceConfigInput; provider: string | undefined; secrets: Record<string, string> } {
  const steps = new Set(stepsOf(state, facts));
  const answer = (step: StepId) => (steps.has(step) ? (state.answers[step] ?? '').trim() : '');
  const list = (step: StepId) => parseList(answer(step));
  const pairs = (step: StepId) => {
    const parsed = parseAssignments(answer(step));
    return 'pairs' in parsed ? parsed.pairs : {};
  };
  const size = answer('size');
  const number = (step: StepId) => (answer(step) === '' ? undefined : Number(answer(step)));
  const cpuCores = isPreset(size) ? presets[size].cpuCores : number('cpuCores');
  const memoryGb = number('memoryGb');
  const memoryMb = isPreset(size) ? presets[size].memoryMb : memoryGb && toMb(memoryGb);
  const secretEnv = [...new Set(list('secretEnv'))];
  return {
    provider: answer('provider') || undefined,
    secrets: Object.fromEntries(secretEnv.map(name => [name, state.answers[`secret:${name}`] ?? ''])),
    config: {
      name: answer('name'),
      source: sourceOf(answer('source'), answer),
      resources: { ...(cpuCores !== undefined && { cpuCores }), ...(memoryMb !== undefined && { memoryMb }) },
      ...(answer('region') && { region: answer('region') }),
      ...(answer('image') && { image: answer('image') }),
      env: pairs('env'),
      secretEnv,
      ports: [...new Set(list('ports').map(Number))],
      extensions: [...new Set(list('extensions'))],
      metadata: pairs('metadata'),
    },
  };
}

function sourceOf(kind: string, answer: (step: StepId) => string): WorkspaceSource {
  if (kind === 'git') return { kind, url: answer('gitUrl'), ...(answer('gitRef') && { ref: answer('gitRef') }) };
  if (kind === 'folder') return { kind, path: answer('folder') };
  return { kind: 'empty' };
}
