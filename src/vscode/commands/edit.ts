import * as vscode from 'vscode';
import { configBeforeAgents } from '../../core/changesOf.ts';
import type { InstanceRecord, InstanceUpdate } from '../../model/instance.ts';
import { formatAssignments, parseAssignments, parseList } from '../assignments.ts';
import type { Face } from '../face.ts';
import { askText, goBack } from '../multiStep.ts';
import { operate, type Secrets } from '../operate.ts';
import { sizeText } from '../rowTexts.ts';
import { toGb, toMb } from '../sizes.ts';
import { t } from '../translate.ts';
import { type Option, type WizardFacts, type WizardProvider, wizardProvider } from '../wizardSteps.ts';
import { askStep, noFacts } from './askStep.ts';
import type { CommandCall } from './commandTable.ts';
import { pickInstance } from './pickInstances.ts';
import { optionTexts, questionFor } from './wizardTexts.ts';

/** Gives an instance another name. */
export async function rename(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'edit', t('Rename an Instance'));
  if (!record) return;
  const { controller } = await face.host.core();
  const others = controller.listInstances().filter(({ id }) => id !== record.id);
  const facts: WizardFacts = { t, providers: [], takenNames: others.map(({ config }) => config.name) };
  const name = await askStep('name', record.config.name, t('Rename {0}', record.config.name), facts);
  if (name !== undefined && name !== record.config.name) await update(face, record, { update: { name } });
}

/** Changes one thing about an instance: its size, its variables, its ports, … */
export async function edit(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'edit', t('Edit an Instance'));
  if (!record) return;
  const { controller } = await face.host.core();
  const provider = wizardProvider(controller.providers, record.providerId, true);
  const title = t('Edit {0}', record.config.name);
  const item = (what: Option | 'size' | 'undo', label: string, now: string | undefined) => ({
    what,
    label,
    description: now === undefined || now === '' ? t('none') : now,
  });
  const { config } = record;
  const fields: Option[] = ['env', 'secretEnv', 'ports', 'extensions', 'metadata'];
  const undone = configBeforeAgents(record);
  const items = [
    ...(undone ? [item('undo', t('Undo Changes by Agents'), t('asks first, with each change'))] : []),
    ...(provider.limits ? [item('size', t('Size'), sizeText(config.resources, t) ?? t('default'))] : []),
    ...(provider.images ? [item('image', t('Image'), config.image ?? t('default'))] : []),
    ...fields.map(field => item(field, optionTexts(field, t).label, shownValue(record, field))),
  ];
  const placeHolder = t('What shall change? Programs in it may have to restart; its files stay');
  const picked = await vscode.window.showQuickPick(items, { title, placeHolder });
  if (picked?.what === 'undo') {
    await operate(
      face,
      'undo_agent_changes',
      { instanceId: record.id },
      t('Changing {0}', config.name),
      'notification',
    );
    return;
  }
  const change = picked && (await askChange(record, provider, picked.what, title));
  if (change) await update(face, record, change);
}

/** Gives an instance another size. */
export async function editSize(face: Face, record: InstanceRecord): Promise<void> {
  const { controller } = await face.host.core();
  const provider = wizardProvider(controller.providers, record.providerId, true);
  const change = await askSize(record, provider, t('Edit {0}', record.config.name));
  if (change) await update(face, record, change);
}

const shownValue = ({ config }: InstanceRecord, field: Option) =>
  field === 'env' ? Object.keys(config.env).join(', ') : typedValue({ config }, field);

/** The value as it is typed. */
function typedValue({ config }: Pick<InstanceRecord, 'config'>, field: Option): string {
  switch (field) {
    case 'image':
      return config.image ?? '';
    case 'env':
    case 'metadata':
      return formatAssignments(config[field]);
    case 'secretEnv':
    case 'ports':
    case 'extensions':
      return config[field].join(' ');
  }
}

interface Change {
  readonly update: InstanceUpdate;
  readonly secrets?: Secrets;
}

async function askChange(
  record: InstanceRecord,
  provider: WizardProvider,
  what: Option | 'size',
  title: string,
): Promise<Change | undefined> {
  if (what === 'size') return askSize(record, provider, title);
  const text = await askStep(what, typedValue(record, what), title);
  if (text === undefined) return undefined;
  switch (what) {
    case 'image':
      return text === '' ? undefined : { update: { image: text } };
    case 'env':
    case 'metadata': {
      const parsed = parseAssignments(text);
      return 'pairs' in parsed ? { update: { [what]: parsed.pairs } } : undefined;
    }
    case 'ports':
      return { update: { ports: parseList(text).map(Number) } };
    case 'extensions':
      return { update: { extensions: parseList(text) } };
    case 'secretEnv':
      return askSecrets(record, [...new Set(parseList(text))], title);
  }
}

async function askSize(
  { config }: InstanceRecord,
  provider: WizardProvider,
  title: string,
): Promise<Change | undefined> {
  const { cpuCores, memoryMb, pids } = config.resources;
  const facts: WizardFacts = { ...noFacts, providers: [provider] };
  const cores = await askStep('cpuCores', String(cpuCores ?? ''), title, facts);
  if (cores === undefined) return undefined;
  const memory = await askStep('memoryGb', memoryMb === undefined ? '' : String(toGb(memoryMb)), title, facts);
  if (memory === undefined) return undefined;
  const resources = {
    ...(cores && { cpuCores: Number(cores) }),
    ...(memory && { memoryMb: toMb(Number(memory)) }),
    ...(pids !== undefined && { pids }),
  };
  return { update: { resources } };
}

/** A value that is stored already is kept by leaving its answer empty. */
async function askSecrets(
  record: InstanceRecord,
  names: readonly string[],
  title: string,
): Promise<Change | undefined> {
  const secrets: Record<string, string> = {};
  for (const name of names) {
    const isStored = record.config.secretEnv.includes(name);
    const placeholder = isStored ? t('leave empty to keep the value') : '';
    const value = await askText({ title, ...questionFor(`secret:${name}`, t), placeholder });
    if (value === undefined || value === goBack) return undefined;
    if (value !== '' || !isStored) secrets[name] = value;
  }
  return { update: { secretEnv: [...names] }, secrets };
}

async function update(face: Face, record: InstanceRecord, { update, secrets }: Change): Promise<void> {
  const input = { instanceId: record.id, ...update };
  await operate(face, 'update_swarm_instance', input, t('Changing {0}', record.config.name), 'notification', secrets);
}
