import { isToClear } from '../core/migration/migrationSteps.ts';
import type { Migration, MigrationStep, MigrationStepState } from '../model/migration.ts';
import { cut } from '../model/textCut.ts';
import { bytesText } from '../operations/bytesText.ts';
import type { Translate } from '../operations/translate.ts';
import { type HealthWording, withoutStop } from './healthRows.ts';
import type { Row } from './instanceRows.ts';
import { ago, type RowIcon, withoutDots } from './rowTexts.ts';

/** How a migration looks to a person. */
export type MigrationFace =
  | 'running'
  | 'undoing'
  | 'parked'
  | 'removing'
  | 'completed'
  | 'rolledBack'
  | 'clearing'
  | 'failed'
  | 'cancelled'
  | 'timedOut';

const mostReason = 120;

const icons: Readonly<Record<MigrationFace, RowIcon>> = {
  running: { id: 'sync~spin', color: 'charts.blue' },
  undoing: { id: 'loading~spin', color: 'list.warningForeground' },
  removing: { id: 'trash', color: 'list.warningForeground' },
  parked: { id: 'archive', color: 'testing.iconPassed' },
  completed: { id: 'pass', color: 'testing.iconPassed' },
  rolledBack: { id: 'discard', color: 'disabledForeground' },
  failed: { id: 'error', color: 'testing.iconFailed' },
  clearing: { id: 'trash', color: 'disabledForeground' },
  cancelled: { id: 'circle-slash', color: 'disabledForeground' },
  timedOut: { id: 'watch', color: 'testing.iconFailed' },
};

const stepIcons: Readonly<Record<MigrationStepState['status'], RowIcon>> = {
  pending: { id: 'circle-outline', color: 'disabledForeground' },
  running: { id: 'sync~spin', color: 'charts.blue' },
  done: { id: 'check', color: 'testing.iconPassed' },
  failed: { id: 'close', color: 'testing.iconFailed' },
  undone: { id: 'discard', color: 'list.warningForeground' },
  skipped: { id: 'dash', color: 'disabledForeground' },
};

/** Each has a shape of its own. */
export const migrationIcon = (face: MigrationFace): RowIcon => icons[face];
export const stepIcon = (status: MigrationStepState['status']): RowIcon => stepIcons[status];

/** A plan that nobody has agreed to is undefined: nothing moves yet. */
export function migrationFace(migration: Migration): MigrationFace | undefined {
  if (isToClear(migration)) return 'clearing';
  const { status, pivotedAt, rolledBackAt, endedAt, cancelRequested, error, parkedUntil } = migration;
  if (rolledBackAt !== undefined) return endedAt === undefined ? 'undoing' : 'rolledBack';
  if (migration.startedAt === undefined) return undefined;
  switch (status) {
    case 'pending':
      return undefined;
    case 'in-progress':
      return pivotedAt === undefined && (cancelRequested || error) ? 'undoing' : 'running';
    case 'completed':
      if (parkedUntil === undefined) return 'completed';
      return migration.removingSince === undefined ? 'parked' : 'removing';
    case 'timed-out':
      return 'timedOut';
    default:
      return status;
  }
}

export type MigrationAction = 'cancel' | 'compare' | 'rollBack' | 'cleanUp' | 'forget';

/** What a person can do with it now. */
export function migrationActions(migration: Migration): MigrationAction[] {
  const face = migrationFace(migration);
  if (face === 'clearing') return ['forget'];
  if (face === 'running') return migration.pivotedAt === undefined ? ['cancel'] : [];
  if (migration.removingSince !== undefined) return ['cleanUp'];
  if (face === 'parked') return ['compare', 'rollBack', 'cleanUp'];
  return face === 'rolledBack' && migration.parkedUntil !== undefined ? ['compare', 'cleanUp'] : [];
}

/** What moves first, then what is kept for a way back, then what is over; the youngest of each first. */
export function migrationsShown(migrations: readonly Migration[]): Migration[] {
  const rank = (migration: Migration) => {
    const face = migrationFace(migration);
    if (face === 'running' || face === 'undoing') return 0;
    return migration.parkedUntil === undefined ? 2 : 1;
  };
  return migrations
    .filter(migration => migrationFace(migration) !== undefined)
    .sort((a, b) => rank(a) - rank(b) || b.createdAt.localeCompare(a.createdAt));
}

export function migrationFaceText(face: MigrationFace, t: Translate): string {
  switch (face) {
    case 'running':
      return t('moving…');
    case 'undoing':
      return t('taking back…');
    case 'parked':
      return t('moved, old copy kept');
    case 'removing':
      return t('moved, old copy being removed');
    case 'completed':
      return t('moved');
    case 'rolledBack':
      return t('rolled back');
    case 'failed':
      return t('failed');
    case 'clearing':
      return t('deleted, what is left of it goes');
    case 'cancelled':
      return t('cancelled');
    case 'timedOut':
      return t('took too long');
  }
}

export function stepTitle(step: MigrationStep, t: Translate): string {
  switch (step) {
    case 'prepare':
      return t('Prepare');
    case 'validate-source':
      return t('Check the source');
    case 'validate-target-provider':
      return t('Check the target');
    case 'export-source-config':
      return t('Read the configuration');
    case 'create-target':
      return t('Copy to the target');
    case 'start-target':
      return t('Start at the target');
    case 'verify-target':
      return t('Compare every byte');
    case 'stop-source':
      return t('Stop the source');
    case 'clean-up-source':
      return t('Put the source aside');
    case 'complete':
      return t('Finish');
  }
}

function stepStateText(status: MigrationStepState['status'], t: Translate): string {
  switch (status) {
    case 'pending':
      return t('to come');
    case 'running':
      return t('under way');
    case 'done':
      return t('done');
    case 'failed':
      return t('failed');
    case 'undone':
      return t('taken back');
    case 'skipped':
      return t('skipped');
  }
}

/** "1.2 sec" or "5 min", in the user's language. */
export function spanText(milliseconds: number, locale: string): string {
  const inMinutes = milliseconds >= 120_000;
  const unit = inMinutes ? 'minute' : 'second';
  const options = { style: 'unit', unit, unitDisplay: 'short', maximumSignificantDigits: 2 } as const;
  return new Intl.NumberFormat(locale, options).format(milliseconds / (inMinutes ? 60_000 : 1000));
}

/** What is being done now. */
function doingText({ steps, plan }: Migration, { t, locale }: HealthWording): string {
  const now = steps.find(({ status }) => status === 'running');
  if (!now) return t('moving…');
  const moved = now.bytes === undefined ? undefined : bytesText(now.bytes, locale);
  if (now.step !== 'create-target')
    return [stepTitle(now.step, t), ...(moved === undefined ? [] : [moved])].join(' · ');
  const all = bytesText(plan.bytes, locale);
  return moved === undefined ? t('copying {0}', all) : t('copying {0} of {1}', moved, all);
}

/** How it is: what is being done while it moves, else what came of it. */
export function stateText(migration: Migration, wording: HealthWording): string {
  const face = migrationFace(migration) ?? 'running';
  return face === 'running' ? doingText(migration, wording) : migrationFaceText(face, wording.t);
}

/** How much of the home is on its way, in 0..1; undefined unless it is being copied. */
export function copiedPart({ steps, plan }: Migration): number | undefined {
  const { bytes } = steps.find(({ step, status }) => step === 'create-target' && status === 'running') ?? {};
  return bytes === undefined || plan.bytes === 0 ? undefined : bytes / plan.bytes;
}

/** The row of a migration; `canOpen`: its instance runs. */
export function migrationRowOf(migration: Migration, canOpen: boolean, wording: HealthWording): Row {
  const { t, locale, now } = wording;
  const { instanceName, sourceProviderId, targetProviderId, error, endedAt, leftovers } = migration;
  const face = migrationFace(migration) ?? 'running';
  const what = [
    stateText(migration, wording),
    ...(error && face !== 'cancelled' ? [cut(withoutStop(error.message), mostReason)] : []),
    ...(leftovers.length > 0 ? [t('left over: {0}', leftovers.join(', '))] : []),
  ];
  const when = endedAt === undefined ? [] : [ago(endedAt, now, locale)];
  const tags = [...migrationActions(migration), ...(canOpen ? ['open'] : [])].map(action => `can-${action}`);
  return {
    label: instanceName,
    description: [...what, `${sourceProviderId} → ${targetProviderId}`, ...when].join(' · '),
    icon: migrationIcon(face),
    collapse: 'collapsed',
    contextValue: ['migration', face, ...tags].join('+'),
    spoken: [
      t('{0}, from {1} to {2}', instanceName, sourceProviderId, targetProviderId),
      ...[...what, ...when].map(withoutDots),
    ].join('. '),
  };
}

/** The row of one step. */
export function stepRowOf(state: MigrationStepState, { t, locale, now }: HealthWording): Row {
  const { step, status, startedAt, endedAt, note, bytes, files } = state;
  const isUnderWay = status === 'running';
  const label = stepTitle(step, t);
  const end = endedAt === undefined ? now : Date.parse(endedAt);
  const took = startedAt !== undefined && (endedAt !== undefined || isUnderWay);
  const size = bytes === undefined ? [] : [bytesText(bytes, locale)];
  const parts = [
    // What counts up is to be seen in a narrow view, too.
    ...(isUnderWay ? size : []),
    stepStateText(status, t),
    ...(note === undefined ? [] : [cut(withoutStop(note), mostReason)]),
    ...(isUnderWay ? [] : size),
    ...(files === undefined ? [] : [files === 1 ? t('1 file') : t('{0} files', files)]),
    ...(took ? [spanText(Math.max(0, end - Date.parse(startedAt)), locale)] : []),
  ];
  return {
    label,
    description: parts.join(' · '),
    icon: stepIcon(status),
    collapse: 'none',
    contextValue: 'step',
    spoken: `${label}, ${parts.join('. ')}`,
  };
}
