import * as vscode from 'vscode';
import type { ProviderState } from '../../model/swarmStatus.ts';
import type { Face } from '../face.ts';
import { freeName } from '../freeName.ts';
import { askPick, askText, goBack, type StepFrame } from '../multiStep.ts';
import { problemText, sizeText, sourceName } from '../rowTexts.ts';
import { presets } from '../sizes.ts';
import type { SwarmCore } from '../swarmHost.ts';
import { t } from '../translate.ts';
import {
  answered,
  back,
  firstState,
  jumpTo,
  type Option,
  optionsFor,
  positionOf,
  presetsFor,
  problemOf,
  regionsFor,
  requestOf,
  type StepId,
  type WizardFacts,
  type WizardState,
  wizardProvider,
} from '../wizardSteps.ts';
import { chooseFolder } from './chooseFolder.ts';
import { createInstance } from './createInstance.ts';
import { optionTexts, questionFor } from './wizardTexts.ts';

/** Asks everything an instance needs, and creates it. */
export async function create(face: Face): Promise<void> {
  const core = await face.host.core();
  const states = core.controller.getSwarmStatus().providers;
  const facts = factsOf(core, states);
  let state: WizardState | undefined = firstState;
  for (;;) {
    const outcome = await ask(state, facts, states);
    if (outcome === undefined) return;
    if (outcome === 'create') break;
    state = outcome;
  }
  const { config, provider, secrets } = requestOf(state, facts);
  await createInstance(face, { ...config, ...(provider && { provider }) }, secrets);
}

function factsOf({ controller }: SwarmCore, states: readonly ProviderState[]): WizardFacts {
  return {
    t,
    takenNames: controller.listInstances().map(({ config }) => config.name),
    providers: controller.providers.all().map(provider => {
      const reachable = states.some(state => state.id === provider.id && state.reachable);
      return wizardProvider(controller.providers, provider.id, reachable);
    }),
  };
}

/** Asks one step. Undefined: given up; a state: where to go on; `create`: everything is said. */
async function ask(
  state: WizardState,
  facts: WizardFacts,
  states: readonly ProviderState[],
): Promise<WizardState | 'create' | undefined> {
  const frame: StepFrame = {
    title: t('Create Instance'),
    ...positionOf(state, facts),
    canGoBack: back(state, facts) !== undefined,
  };
  if (state.step === 'summary') return askSummary(state, facts, frame);
  const answer = await askAnswer(state, facts, states, frame);
  if (answer === goBack) return back(state, facts) ?? state;
  return answer === undefined ? undefined : answered(state, answer, facts);
}

function askAnswer(
  state: WizardState,
  facts: WizardFacts,
  states: readonly ProviderState[],
  frame: StepFrame,
): Promise<string | typeof goBack | undefined> {
  const current = state.answers[state.step];
  switch (state.step) {
    case 'provider':
      return askOne(frame, t('Where shall it run?'), providerItems(facts, states), current ?? '');
    case 'source':
      return askOne(frame, t('What shall its workspace hold?'), sourceItems(), current ?? 'empty');
    case 'folder':
      return askFolder(frame, current);
    case 'region':
      return askOne(frame, t('In which region shall its home be?'), regionItems(state, facts), current ?? '');
    case 'size':
      return askOne(frame, t('How big shall it be?'), sizeItems(state, facts), current ?? '');
    case 'options':
      return askOptions(state, facts, frame);
    default: {
      const question = questionFor(state.step, t);
      const value = current ?? (state.step === 'name' ? freeName(facts.takenNames) : '');
      return askText({ ...frame, ...question, value, problem: text => problemOf(state, text, facts) });
    }
  }
}

interface Choice extends vscode.QuickPickItem {
  /** Undefined: it is shown, and can't be taken. */
  readonly value?: string;
}

async function askOne(
  frame: StepFrame,
  placeholder: string,
  items: readonly Choice[],
  current: string,
): Promise<string | typeof goBack | undefined> {
  for (;;) {
    const active = items.find(({ value }) => value === current);
    const picked = await askPick({ ...frame, placeholder, items, active });
    if (picked === goBack || picked === undefined) return picked;
    const [item] = picked;
    if (item?.value !== undefined) return item.value;
  }
}

function providerItems(facts: WizardFacts, states: readonly ProviderState[]): Choice[] {
  const reachable = facts.providers.filter(provider => provider.reachable);
  const chooseForMe: Choice = {
    label: t('$(sparkle) Choose for me'),
    description: t('a provider that fits and holds the fewest instances'),
    value: '',
  };
  const unreachable = states.filter(state => !state.reachable);
  return [
    ...(reachable.length > 1 ? [chooseForMe] : []),
    ...reachable.map(({ id, capabilities }) => {
      const { cpu, memory } = capabilities.maxResourcesPerInstance;
      const most = sizeText({ cpuCores: cpu.limit ?? cpu.cores, ...(memory.max && { memoryMb: memory.max }) }, t);
      return { label: `$(server-environment) ${id}`, description: most ? t('up to {0}', most) : '', value: id };
    }),
    ...(unreachable.length > 0 ? [{ label: t('Cannot be used now'), kind: vscode.QuickPickItemKind.Separator }] : []),
    ...unreachable.map(state => ({
      label: `$(debug-disconnect) ${state.id}`,
      description: problemText(state, t),
      ...(state.hint !== undefined && { detail: state.hint }),
    })),
  ];
}

function sourceItems(): Choice[] {
  return [
    { label: t('$(file-directory) Nothing'), description: t('an empty workspace'), value: 'empty' },
    { label: t('$(repo-clone) A Git repository'), description: t('cloned at the first start'), value: 'git' },
    {
      label: t('$(folder-opened) A folder of this computer'),
      description: t('copied with its uncommitted files'),
      value: 'folder',
    },
  ];
}

function regionItems(state: WizardState, facts: WizardFacts): Choice[] {
  return [
    { label: t('Default'), description: t('what the provider gives'), value: '' },
    ...regionsFor(state, facts).map(region => ({ label: region, value: region })),
  ];
}

function sizeItems(state: WizardState, facts: WizardFacts): Choice[] {
  const names = { small: t('Small'), medium: t('Medium'), large: t('Large'), huge: t('Huge') };
  return [
    { label: t('Default'), description: t('what the provider gives'), value: '' },
    ...presetsFor(state, facts).map(preset => ({
      label: names[preset],
      description: sizeText(presets[preset], t) ?? '',
      value: preset,
    })),
    { label: t('$(edit) Other…'), description: t('type cores and memory'), value: 'custom' },
  ];
}

async function askFolder(frame: StepFrame, current = ''): Promise<string | typeof goBack | undefined> {
  const folders = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file');
  const items = [...new Set([...folders.map(({ uri }) => uri.fsPath), current])]
    .filter(path => path !== '')
    .map(
      (path): Choice => ({
        label: `$(folder) ${sourceName({ kind: 'folder', path }) ?? path}`,
        description: path,
        value: path,
      }),
    );
  const browse: Choice = { label: t('$(folder-opened) Another folder…'), value: 'browse' };
  const picked = await askOne(frame, t('Which folder shall be copied?'), [...items, browse], current);
  if (picked !== 'browse') return picked;
  return (await chooseFolder()) ?? goBack;
}

async function askOptions(state: WizardState, facts: WizardFacts, frame: StepFrame) {
  const chosen = (state.answers.options ?? '').split(' ');
  const items = optionsFor(state, facts).map(option => ({
    ...optionTexts(option, t),
    option,
    picked: chosen.includes(option),
  }));
  const placeholder = t('What else shall it have? Nothing is needed: press Enter to go on');
  const picked = await askPick({ ...frame, placeholder, items, many: true });
  if (picked === goBack || picked === undefined) return picked;
  return picked.map(({ option }) => option).join(' ');
}

interface SummaryItem extends vscode.QuickPickItem {
  /** Where it is changed; undefined creates. */
  readonly step?: StepId;
}

async function askSummary(
  state: WizardState,
  facts: WizardFacts,
  frame: StepFrame,
): Promise<WizardState | 'create' | undefined> {
  const { config, provider } = requestOf(state, facts);
  const row = (label: string, description: string, step: StepId): SummaryItem => ({ label, description, step });
  const asked = (state.answers.options ?? '').split(' ').filter(option => option !== '') as Option[];
  const source = config.source && sourceName(config.source);
  const items: SummaryItem[] = [
    { label: t('$(rocket) Create {0}', config.name) },
    { label: t('Change'), kind: vscode.QuickPickItemKind.Separator },
    row(t('Name'), config.name, 'name'),
    row(t('Provider'), provider ?? t('chosen for you'), 'provider'),
    row(t('Workspace'), source ?? t('empty'), 'source'),
    ...(regionsFor(state, facts).length > 0 ? [row(t('Region'), config.region ?? t('default'), 'region')] : []),
    ...(presetsFor(state, facts).length > 0
      ? [row(t('Size'), sizeText(config.resources ?? {}, t) ?? t('default'), 'size')]
      : []),
    row(t('Options'), asked.map(option => optionTexts(option, t).label).join(', ') || t('none'), 'options'),
  ];
  const picked = await askPick({ ...frame, placeholder: t('Press Enter to create it'), items, active: items[0] });
  if (picked === undefined) return undefined;
  if (picked === goBack) return back(state, facts) ?? state;
  const step = picked[0]?.step;
  return step === undefined ? 'create' : jumpTo(state, step, facts);
}
