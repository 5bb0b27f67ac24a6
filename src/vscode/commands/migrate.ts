import * as vscode from 'vscode';
import { misfits } from '../../core/placement.ts';
import { SwarmError } from '../../model/errors.ts';
import type { HomeDifference } from '../../model/homeArchive.ts';
import type { InstanceRecord } from '../../model/instance.ts';
import { type Migration, MigrationStrategy } from '../../model/migration.ts';
import { differenceText } from '../differenceText.ts';
import type { Face } from '../face.ts';
import {
  copiedPart,
  type MigrationAction,
  migrationActions,
  migrationIcon,
  migrationsShown,
  stateText,
} from '../migrationRows.ts';
import { planLines, strategyEffect, strategyTitle } from '../migrationTooltip.ts';
import { confirmModal, operate, personCall } from '../operate.ts';
import { withProgress } from '../operationContext.ts';
import { problemText } from '../rowTexts.ts';
import type { SwarmCore } from '../swarmHost.ts';
import { t } from '../translate.ts';
import type { CommandCall } from './commandTable.ts';
import { pickInstance } from './pickInstances.ts';

type Report = Pick<Migration, 'id' | 'status' | 'plan'> & { readonly error?: string };

/** Asks where to and how, shows what it takes, and moves it. */
export async function migrate(face: Face, call: CommandCall): Promise<void> {
  const record = await pickInstance(face, call, 'migrate', t('Migrate an Instance'));
  if (!record) return;
  const core = await face.host.core();
  const targetProvider = await askTarget(core, record);
  if (targetProvider === undefined) return;
  const strategy = await askStrategy(core, record);
  if (strategy === undefined) return;
  const { name } = record.config;
  const planned = { instanceId: record.id, targetProvider, strategy };
  const looking = t('Looking what it takes to migrate {0}…', name);
  const { id, plan } = await operate<Report>(face, 'create_migration_plan', planned, looking, 'notification');
  const agreed = await confirmModal({
    title: t('Migrate "{0}" from {1} to {2}?', name, record.providerId, targetProvider),
    detail: planLines(plan, wording()).join('\n\n'),
    action: t('Start Migration'),
  });
  if (!agreed) return;
  tell(face, record, targetProvider, await carryOut(face, id, t('Migrating {0} to {1}', name, targetProvider)));
}

const wording = () => ({ t, locale: vscode.env.language, now: Date.now() });

/** The notification says what the row says. */
function carryOut({ host }: Face, id: string, title: string): Promise<Report> {
  return host.use(({ controller: { migrations }, gate }) =>
    withProgress('notification', title, async ({ signal, report }) => {
      const follow = migrations.onDidChange(changed => {
        if (changed !== id) return;
        const migration = migrations.getMigrationStatus(id);
        report(stateText(migration, wording()), copiedPart(migration));
      });
      try {
        const call = personCall({ signal, report: () => {} });
        return (await gate.invoke('start_migration', { migrationId: id }, call)) as Report;
      } finally {
        follow.dispose();
      }
    }),
  );
}

function tell(face: Face, { id, config }: InstanceRecord, targetProvider: string, { status, error }: Report): void {
  if (status === 'cancelled') return;
  if (status === 'failed' || status === 'timed-out') {
    const message = t('{0} was not migrated, and is where it was: {1}', config.name, error ?? t('unknown reason'));
    throw new SwarmError({ family: 'provider', code: 'migration-failed', message, retryable: true });
  }
  void face.view.follow(id);
  const open = t('Open');
  const { controller } = face.host.ready ?? {};
  const buttons = controller?.registry.getInstance(id)?.status === 'running' ? [open] : [];
  void vscode.window
    .showInformationMessage(t('{0} lives on {1} now.', config.name, targetProvider), ...buttons)
    .then(chosen => chosen === open && vscode.commands.executeCommand('remoteSwarm.open', id));
}

interface TargetItem extends vscode.QuickPickItem {
  /** Undefined: it is shown, and can't be taken. */
  readonly target?: string;
}

async function askTarget({ controller }: SwarmCore, { config, providerId }: InstanceRecord) {
  const others = controller.getSwarmStatus().providers.filter(({ id }) => id !== providerId);
  const items = others.map((state): TargetItem => {
    const provider = controller.providers.find(state.id);
    const isAway = state.reachable === false || provider === undefined;
    const candidate = provider && {
      ...{ provider, capabilities: controller.providers.capabilities(state.id) },
      ...{ reachable: undefined, instances: state.instances },
    };
    const refusals = candidate && !isAway ? misfits(config, candidate) : [problemText(state, t)];
    return refusals.length > 0
      ? { label: `$(circle-slash) ${state.id}`, description: refusals.join(', ') }
      : { label: `$(server-environment) ${state.id}`, description: state.type, target: state.id };
  });
  const refused = items.filter(({ target }) => target === undefined);
  const shown: TargetItem[] = [
    ...items.filter(({ target }) => target !== undefined),
    ...(refused.length > 0 ? [{ label: t('Cannot take it'), kind: vscode.QuickPickItemKind.Separator }] : []),
    ...refused,
  ];
  if (shown.length === 0) {
    void vscode.window.showInformationMessage(t('There is no other provider to migrate to. Add one first.'));
    return undefined;
  }
  const options = { title: t('Migrate {0}', config.name), placeHolder: t('Where shall it live?') };
  for (;;) {
    const picked = await vscode.window.showQuickPick(shown, options);
    if (!picked || picked.target !== undefined) return picked?.target;
  }
}

/** Only what runs has a downtime to choose about. */
async function askStrategy({ config }: SwarmCore, record: InstanceRecord): Promise<MigrationStrategy | undefined> {
  const usual = config.migration.defaultStrategy;
  if (record.status !== 'running') return usual;
  const items = [usual, ...MigrationStrategy.options.filter(strategy => strategy !== usual)].map(strategy => ({
    label: strategyTitle(strategy, t),
    description: strategy === usual ? t('as in the settings') : '',
    detail: strategyEffect(strategy, t),
    strategy,
  }));
  const options = { title: t('Migrate {0}', record.config.name), placeHolder: t('How shall it move?') };
  return (await vscode.window.showQuickPick(items, options))?.strategy;
}

const onOne =
  (action: MigrationAction, operation: string, title: () => string, doing: () => string) =>
  async (face: Face, call: CommandCall): Promise<void> => {
    const migration = await pickMigration(face, call, action, title());
    if (migration) await operate(face, operation, { migrationId: migration.id }, doing(), 'migrations');
  };

/** Until the pivot; everything is taken back. */
export const cancelMigration = onOne(
  'cancel',
  'cancel_migration',
  () => t('Cancel a Migration'),
  () => t('Cancelling…'),
);

/** The gate asks first. */
export const rollBackMigration = onOne(
  'rollBack',
  'roll_back_migration',
  () => t('Roll a Migration Back'),
  () => t('Rolling back…'),
);

/** The gate asks first. */
export const cleanUpMigration = onOne(
  'cleanUp',
  'clean_up_migration',
  () => t('Clean Up the Source of a Migration'),
  () => t('Cleaning up…'),
);

/** In which files the parked copy differs, as a document. */
export async function compareParkedCopy(face: Face, call: CommandCall): Promise<void> {
  const migration = await pickMigration(face, call, 'compare', t('Show What Differs'));
  if (!migration) return;
  const { id, instanceName } = migration;
  const doing = t('Comparing both copies of {0}', instanceName);
  const input = { migrationId: id };
  const difference = await operate<HomeDifference>(face, 'compare_parked_copy', input, doing, 'notification');
  const text = differenceText(migration, difference, wording());
  await face.documents.showMarkdown(t('What Differs in {0}', instanceName), text);
}

export const showMigrations = () => vscode.commands.executeCommand('remoteSwarm.migrations.focus');

async function pickMigration(
  { host, migrations }: Face,
  { rows }: CommandCall,
  action: MigrationAction,
  title: string,
): Promise<Migration | undefined> {
  const { controller } = await host.core();
  const all = rows.length > 0 ? rows.flatMap(row => migrations.migration(row) ?? []) : undefined;
  const fitting = migrationsShown(all ?? controller.migrations.listMigrations()).filter(one =>
    migrationActions(one).includes(action),
  );
  if (all) return fitting[0];
  if (fitting.length === 0) {
    void vscode.window.showInformationMessage(t('No migration is in a state that fits.'));
    return undefined;
  }
  const items = fitting.map(migration => ({
    label: `$(${migrationIcon(action === 'cancel' ? 'running' : 'parked').id.replace('~spin', '')}) ${migration.instanceName}`,
    description: `${migration.sourceProviderId} → ${migration.targetProviderId}`,
    migration,
  }));
  return (await vscode.window.showQuickPick(items, { title }))?.migration;
}
