import * as vscode from 'vscode';
import type { HealthConfig } from '../../model/config.ts';
import { SwarmError } from '../../model/errors.ts';
import type { InstanceHealth } from '../../model/health.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import { withTimeout } from '../../model/operationContext.ts';
import { onOneLine } from '../../model/textCut.ts';
import { mostChecked } from '../../operations/healthOperations.ts';
import type { HealthReport } from '../../operations/healthViews.ts';
import { rungEffect, rungTitle } from '../../operations/recoveryTexts.ts';
import { configFrom } from '../configFrom.ts';
import type { Face } from '../face.ts';
import { faceIcon, faceText, reasonOf } from '../healthRows.ts';
import { healthText } from '../healthText.ts';
import { faceOf, faceOrder, type HealthFace, isListed } from '../healthTree.ts';
import { operate, operateOnAll } from '../operate.ts';
import { withProgress } from '../operationContext.ts';
import { type RecoveryChoice, recoveryChoices } from '../recoveryChoices.ts';
import type { SwarmCore } from '../swarmHost.ts';
import { t } from '../translate.ts';
import type { CommandCall } from './commandTable.ts';
import { recordOf } from './pickInstances.ts';

/** How long the list of acts waits for a place to say whether a home is there. */
const homeMilliseconds = 3_000;

interface Watched {
  readonly record: InstanceRecord;
  readonly health: InstanceHealth | undefined;
}

/** All four checks, now. */
export async function checkHealth(face: Face, call: CommandCall): Promise<void> {
  const ids = await pick(face, call, t('Check the Health of Instances'));
  const failed: HealthReport[] = [];
  for (let from = 0; from < ids.length; from += mostChecked) {
    const instanceIds = ids.slice(from, from + mostChecked);
    const input = { instanceIds };
    const title = t('Checking health…');
    const answer = await operate<{ instances: HealthReport[] }>(face, 'check_instance_health', input, title, 'health');
    failed.push(...answer.instances.filter(({ error }) => error !== undefined));
  }
  const [first] = failed;
  if (!first) return;
  throw new SwarmError({
    family: 'provider',
    code: 'check-failed',
    message: t('{0} could not be checked: {1}', failed.map(({ name }) => name).join(', '), first.error ?? ''),
    retryable: true,
  });
}

/** Asks for the act, the one that comes next first, and does it. */
export async function recover(face: Face, call: CommandCall): Promise<void> {
  const [instanceId] = await pick(face, call, t('Recover an Instance'), () => true, false);
  if (instanceId === undefined) return;
  const core = await face.host.core();
  const record = core.controller.getInstance(instanceId);
  const hasHome = await withProgress('health', t('Looking what can be done…'), async ctx => {
    const { abilities } = core.controller.providers.get(record.providerId);
    return abilities.hasHome(instanceId, withTimeout(ctx, homeMilliseconds)).catch(() => undefined);
  });
  const health = core.controller.health.get(instanceId);
  const canMigrate = await core.controller.migrations.canMigrate(record);
  const choices = recoveryChoices({ record, health, hasHome, canMigrate, config: healthConfig(), now: Date.now() });
  const rung = await askRung(record.config.name, choices);
  if (rung === undefined) return;
  const title = t('Recovering {0}', record.config.name);
  try {
    await operate(face, 'recover_instance', { instanceId, rung }, title, 'health');
  } catch (error) {
    if (!(error instanceof SwarmError) || error.code !== 'home-not-kept') throw error;
    // The gate asks, and writes down what the person chose.
    const reason = onOneLine(error.message, 500);
    await operate(face, 'recreate_without_snapshot', { instanceId, reason }, title, 'health');
  }
}

interface RungItem extends vscode.QuickPickItem {
  /** Undefined: it is shown, and can't be taken. */
  readonly rung?: RecoveryChoice['rung'];
}

async function askRung(name: string, choices: readonly RecoveryChoice[]): Promise<RecoveryChoice['rung'] | undefined> {
  const usable = choices.filter(({ refusal }) => refusal === undefined);
  const others = choices.filter(({ refusal }) => refusal !== undefined);
  const items: RungItem[] = [
    ...usable.map(({ rung, proposed }) => ({
      label: `$(${rungIcons[rung]}) ${rungTitle(t, rung)}`,
      description: proposed ? t('proposed') : '',
      detail: rungEffect(t, rung),
      rung,
    })),
    ...(others.length > 0 ? [{ label: t('Cannot be used now'), kind: vscode.QuickPickItemKind.Separator }] : []),
    ...others.map(({ rung, refusal = '' }) => ({
      label: `$(circle-slash) ${rungTitle(t, rung)}`,
      description: refusal,
      detail: rungEffect(t, rung),
    })),
  ];
  // A notification whose button led here gives the focus back to an editor when it goes.
  const options = { ignoreFocusOut: true, title: t('Recover {0}', name) };
  const placeHolder = t('What shall be done? Files in its home are kept');
  for (;;) {
    const picked = await vscode.window.showQuickPick(items, { ...options, placeHolder });
    if (!picked || picked.rung !== undefined) return picked?.rung;
  }
}

const rungIcons = { restart: 'debug-restart', recreate: 'wrench', migrate: 'arrow-swap' } as const;

export async function resetCrashLoop(face: Face, call: CommandCall): Promise<void> {
  const isStuck = ({ health }: Watched) => health?.recovery.crashLoop !== undefined;
  const instanceIds = await pick(face, call, t('Reset the Crash Loop of Instances'), isStuck);
  if (instanceIds.length > 0) {
    await operateOnAll(face, 'reset_crash_loop', { instanceIds }, t('Resetting…'), 'health');
  }
}

export const pauseMonitoring = (face: Face, call: CommandCall) =>
  setPaused(face, call, true, t('Pause the Monitoring of Instances'));

export const resumeMonitoring = (face: Face, call: CommandCall) =>
  setPaused(face, call, false, t('Resume the Monitoring of Instances'));

async function setPaused(face: Face, call: CommandCall, paused: boolean, title: string): Promise<void> {
  const fits = ({ health }: Watched) => (health?.pausedSince !== undefined) !== paused;
  const instanceIds = await pick(face, call, title, fits);
  if (instanceIds.length === 0) return;
  const doing = paused ? t('Pausing…') : t('Resuming…');
  await operateOnAll(face, 'pause_instance_monitoring', { instanceIds, paused }, doing, 'health');
}

/** The verdict with its evidence, as a document. */
export async function explainHealth(face: Face, call: CommandCall): Promise<void> {
  const [instanceId] = await pick(face, call, t('Explain the Health of an Instance'), () => true, false);
  if (instanceId === undefined) return;
  const core = await face.host.core();
  const record = core.controller.getInstance(instanceId);
  const wording = { t, locale: vscode.env.language, now: Date.now() };
  const text = healthText(record, core.controller.health.get(instanceId), healthConfig(), wording);
  await face.documents.showMarkdown(t('Health of {0}', record.config.name), text);
}

/** The plots of one instance. */
export async function showHealthHistory(face: Face, call: CommandCall): Promise<void> {
  const [instanceId] = await pick(face, call, t('Show the Health History of an Instance'), () => true, false);
  if (instanceId !== undefined) await face.healthPanels.show(instanceId);
}

/** The settings as they are now. */
function healthConfig(): HealthConfig {
  const configuration = vscode.workspace.getConfiguration('remoteSwarm');
  return configFrom(field => configuration.get(field)).config.health;
}

/** The ids of those that the call is about: of its rows, else of those that the person picks among all that fit. */
async function pick(
  face: Face,
  { rows }: CommandCall,
  title: string,
  fits: (one: Watched) => boolean = () => true,
  many = true,
): Promise<string[]> {
  const core = await face.host.core();
  const watched = (record: InstanceRecord) => ({ record, health: core.controller.health.get(record.id) });
  if (rows.length > 0) {
    const named = rows.flatMap(row => recordOf(face, row) ?? []).map(watched);
    return named.filter(fits).map(({ record }) => record.id);
  }
  const items = itemsOf(core, fits);
  if (items.length === 0) {
    void vscode.window.showInformationMessage(t('No instance that is wanted running fits.'));
    return [];
  }
  const options = { title, placeHolder: t('Type to search by name or health'), matchOnDescription: true };
  const picked = many
    ? await vscode.window.showQuickPick(items, { ...options, canPickMany: true })
    : await vscode.window.showQuickPick(items, options);
  return [picked ?? []].flat().map(({ id }) => id);
}

interface InstanceItem extends vscode.QuickPickItem {
  readonly id: string;
  readonly face: HealthFace;
}

/** Worst first, as in the view. */
function itemsOf({ controller }: SwarmCore, fits: (one: Watched) => boolean): InstanceItem[] {
  return controller
    .listInstances()
    .map(record => ({ record, health: controller.health.get(record.id) }))
    .filter(one => isListed(one.record, one.health) && fits(one))
    .map(({ record, health }) => {
      const face = faceOf(health);
      const reason = reasonOf(health, t);
      return {
        id: record.id,
        face,
        label: `$(${faceIcon(face).id.replace('~spin', '')}) ${record.config.name}`,
        description: [faceText(face, t), ...(reason === undefined ? [] : [reason])].join(' · '),
      };
    })
    .sort((a, b) => faceOrder.indexOf(a.face) - faceOrder.indexOf(b.face));
}
