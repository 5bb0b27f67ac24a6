import * as vscode from 'vscode';
import type { ProviderConfig } from '../../model/config.ts';
import { isAbort, messageOf, SwarmError } from '../../model/errors.ts';
import { ProviderId } from '../../model/provider.ts';
import { forLog } from '../errorWording.ts';
import type { Face } from '../face.ts';
import { freeName } from '../freeName.ts';
import { askPick, askText, goBack, type StepFrame } from '../multiStep.ts';
import { withProgress } from '../operationContext.ts';
import { entriesIn, withEntry } from '../providerEntries.ts';
import type { ProviderField } from '../providerFields.ts';
import { problemText } from '../rowTexts.ts';
import { plain } from '../showError.ts';
import type { ProviderTypeInfo } from '../swarmHost.ts';
import { t } from '../translate.ts';
import type { CommandCall } from './commandTable.ts';

const setting = () => vscode.workspace.getConfiguration('remoteSwarm').get('providers');
const configured = () => entriesIn(setting());

/** Asks for a place, tries it, and writes it into the settings. */
export async function addProvider(face: Face, { rows: [row] }: CommandCall): Promise<void> {
  const { providerTypes, controller } = await face.host.core();
  const title = t('Add Provider');
  const types = providerTypes.map(info => ({ label: info.title, description: info.type, info }));
  const picked = await askPick({ title, placeholder: t('What kind of place is it?'), items: types });
  if (picked === undefined || picked === goBack) return;
  const info = picked[0]?.info;
  if (!info) return;
  const taken = [...configured(), ...controller.providers.all()].map(({ id }) => id);
  // From the row of a provider that instances name and the settings do not, it is that one.
  const node = row === undefined ? undefined : face.view.node(row);
  const missing = node?.kind === 'provider' && node.state === undefined ? node.id : undefined;
  const start: ProviderConfig = { id: missing ?? freeName(taken, info.type), type: info.type };
  await askAndSave(face, start, info, taken, title);
}

/** Changes a provider of the settings. */
export async function editProvider(face: Face, { rows: [row] }: CommandCall): Promise<void> {
  const { providerTypes } = await face.host.core();
  const current = await choose(configured(), providerOf(face, row), t('Edit Provider'));
  if (current === undefined) {
    await vscode.commands.executeCommand('workbench.action.openSettings', 'remoteSwarm.providers');
    return;
  }
  const info = providerTypes.find(({ type }) => type === current.type);
  const title = t('Edit Provider {0}', current.id);
  await askAndSave(face, current, info, undefined, title);
}

/** Says whether a provider can be used, or why not. */
export async function testProvider(face: Face, { rows: [row] }: CommandCall): Promise<void> {
  const { controller } = await face.host.core();
  const provider = await choose(controller.providers.all(), providerOf(face, row), t('Test Provider'));
  if (!provider) return;
  await withProgress('notification', t('Testing {0}', provider.id), ctx => provider.initialize(ctx));
  void vscode.window.showInformationMessage(t('{0} can be used.', provider.id));
}

/** Asks an unreachable provider again. */
export async function retryProvider(face: Face, { rows: [row] }: CommandCall): Promise<void> {
  const { controller } = await face.host.core();
  const provider = await choose(controller.providers.all(), providerOf(face, row), t('Retry Provider'));
  if (!provider) return;
  await withProgress('view', t('Asking {0}', provider.id), ctx => controller.refresh(ctx, provider.id));
}

/** Puts an editor server into the extension's storage, for the instances of this computer. */
export async function installEditorServer(face: Face): Promise<void> {
  await face.host.use(async core => {
    await withProgress('notification', t('Installing the editor server'), ctx => core.installEditorServer(ctx));
    await core.controller.refresh();
  });
  const create = t('Create Instance');
  const done = t('The editor server is installed: instances can run on this computer.');
  if ((await vscode.window.showInformationMessage(done, create)) === create) {
    await vscode.commands.executeCommand('remoteSwarm.create');
  }
}

function providerOf({ view }: Face, row: string | undefined): string | undefined {
  const node = row === undefined ? undefined : view.node(row);
  return node?.kind === 'provider' ? node.id : undefined;
}

async function choose<T extends { readonly id: string; readonly type: string }>(
  providers: readonly T[],
  id: string | undefined,
  title: string,
): Promise<T | undefined> {
  if (id !== undefined) return providers.find(provider => provider.id === id);
  const items = providers.map(provider => ({ label: provider.id, description: provider.type, provider }));
  return (await vscode.window.showQuickPick(items, { title }))?.provider;
}

/** Id first when it can still be chosen, then each field of the type; Back works throughout. */
async function askConfig(
  start: ProviderConfig,
  fields: readonly ProviderField[],
  taken: readonly string[] | undefined,
  title: string,
): Promise<ProviderConfig | undefined> {
  let config = start;
  const asksId = taken !== undefined;
  const total = fields.length + (asksId ? 1 : 0);
  for (let step = 1; step <= total; ) {
    const frame: StepFrame = { title, step, total, canGoBack: step > 1 };
    const field = asksId ? fields[step - 2] : fields[step - 1];
    const answer = field
      ? await askField(field, config[field.name], frame)
      : await askId(config.id, taken ?? [], frame);
    if (answer === undefined) return undefined;
    if (answer === goBack) step--;
    else {
      config = withValue(config, field?.name ?? 'id', answer.value);
      step++;
    }
  }
  return config;
}

function withValue(config: ProviderConfig, name: string, value: unknown): ProviderConfig {
  const { [name]: _, ...rest } = config;
  return { ...rest, ...(value !== undefined && { [name]: value }) } as ProviderConfig;
}

type FieldAnswer = { readonly value: unknown } | typeof goBack | undefined;

async function askId(id: string, taken: readonly string[], frame: StepFrame): Promise<FieldAnswer> {
  const problem = (text: string) =>
    taken.includes(text)
      ? t('A provider of this name exists already.')
      : ProviderId.safeParse(text).error?.issues[0]?.message;
  const answer = await askText({ ...frame, prompt: t('A short name for this provider'), value: id, problem });
  return typeof answer === 'string' ? { value: answer } : answer;
}

async function askField(field: ProviderField, current: unknown, frame: StepFrame): Promise<FieldAnswer> {
  const description = field.description ?? t('{0}.', field.title);
  if (field.kind === 'choice' || field.kind === 'boolean') {
    const values = field.kind === 'boolean' ? [true, false] : field.choices;
    const items = [
      ...(field.required ? [] : [{ label: t('Default'), value: undefined }]),
      ...values.map(value => ({
        label: field.kind === 'boolean' ? (value ? t('Yes') : t('No')) : String(value),
        value,
      })),
    ];
    const active = items.find(({ value }) => value === current);
    const picked = await askPick({ ...frame, placeholder: description, items, active });
    return Array.isArray(picked) ? { value: picked[0]?.value } : (picked as typeof goBack | undefined);
  }
  const typed = (text: string) => (field.kind === 'number' && text.trim() !== '' ? Number(text) : text.trim());
  const answer = await askText({
    ...frame,
    prompt: field.required ? description : t('{0} It may be left empty.', description),
    placeholder: field.name,
    value: current === undefined ? '' : String(current),
    problem: text => (text.trim() === '' && !field.required ? undefined : field.problem(typed(text))),
  });
  if (typeof answer !== 'string') return answer;
  return { value: answer.trim() === '' ? undefined : typed(answer) };
}

/** Asks until the provider can be used, or the person keeps it as it is; ends with a message that says which. */
async function askAndSave(
  face: Face,
  start: ProviderConfig,
  info: ProviderTypeInfo | undefined,
  taken: readonly string[] | undefined,
  title: string,
): Promise<void> {
  const fields = info?.fields ?? [];
  const change = t('Change');
  const keep = t('Save Anyway');
  for (let config = await askConfig(start, fields, taken, title); config; ) {
    if (info?.tokenUrl !== undefined && !(await askToken(face, config.id, info.title, info.tokenUrl, title))) return;
    const problem = await problemOf(face, config);
    if (problem === 'given up') return;
    if (problem === undefined) {
      await save(config);
      await lookAgain(face, config.id);
      void announce(config.id);
      return;
    }
    const told = t('{0} cannot be reached: {1}', config.id, problem);
    const chosen = await vscode.window.showWarningMessage(plain(told), change, keep);
    if (chosen === keep) await save(config);
    if (chosen !== change) return;
    config = await askConfig(config, fields, taken, title);
  }
}

/** Asks for the token with which a provider is reached, and keeps it; false when the person gave up. */
async function askToken(face: Face, id: string, place: string, url: string, title: string): Promise<boolean> {
  const prompt = t(
    'The token for {0}; leave it empty to keep the one that is stored. How to make one: {1}',
    place,
    url,
  );
  const token = await askText({ title, prompt, value: '', password: true });
  if (typeof token !== 'string') return false;
  const core = await face.host.core();
  if (token.trim() !== '') await core.writeToken(id, token.trim());
  return true;
}

/** Why the provider can't be used, with the next step; undefined when it can. */
async function problemOf(face: Face, config: ProviderConfig): Promise<string | 'given up' | undefined> {
  const core = await face.host.core();
  try {
    await withProgress('notification', t('Testing {0}', config.id), ctx => core.testProvider(config, ctx));
    return undefined;
  } catch (error) {
    if (isAbort(error)) return 'given up';
    face.log.error(forLog(error));
    const hint = error instanceof SwarmError ? [error.hint] : [];
    return [problemText({ id: config.id, problem: messageOf(error) }, t), ...hint].filter(Boolean).join(' ');
  }
}

/** Its token may be another one where its settings are the same, and nobody else tells of that. */
async function lookAgain(face: Face, id: string): Promise<void> {
  const { controller } = await face.host.core();
  if (controller.providers.find(id))
    await withProgress('view', t('Asking {0}', id), ctx => controller.refresh(ctx, id));
}

async function announce(id: string): Promise<void> {
  const create = t('Create Instance');
  if ((await vscode.window.showInformationMessage(t('{0} is ready.', id), create)) === create) {
    await vscode.commands.executeCommand('remoteSwarm.create');
  }
}

async function save(config: ProviderConfig): Promise<void> {
  const providers = withEntry(setting(), config);
  await vscode.workspace
    .getConfiguration('remoteSwarm')
    .update('providers', providers, vscode.ConfigurationTarget.Global);
}
