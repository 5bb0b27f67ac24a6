import { describe, expect, test } from 'vitest';
import { type Migration, MigrationStep } from '../../../src/model/migration.ts';
import { bytesText } from '../../../src/operations/bytesText.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import {
  copiedPart,
  migrationActions,
  migrationFace,
  migrationRowOf,
  migrationsShown,
  spanText,
  stateText,
  stepIcon,
  stepRowOf,
  stepTitle,
} from '../../../src/vscode/migrationRows.ts';
import { migrationTooltip, planLines } from '../../../src/vscode/migrationTooltip.ts';
import { minutesAgo, noon } from './healthFacts.ts';
import { ended, migrationOf, parked } from './migrationFacts.ts';

const wording = { t: inEnglish, locale: 'en', now: noon };
const error = { code: 'timed-out', message: 'The disk is full.', at: minutesAgo(2) } as const;

const each: readonly (readonly [string, Migration])[] = [
  ['running', migrationOf(1, {}, 'create-target')],
  ['undoing', migrationOf(1, { cancelRequested: true }, 'create-target')],
  ['parked', parked(1)],
  ['completed', parked(1, { parkedUntil: undefined })],
  ['rolledBack', parked(1, { rolledBackAt: minutesAgo(1) })],
  ['failed', ended(1, 'failed', { error })],
  ['cancelled', ended(1, 'cancelled')],
  ['timedOut', ended(1, 'timed-out', { error })],
];

describe('a migration', () => {
  test.each(each)('that is %s is told so', (face, migration) => {
    expect(migrationFace(migration)).toBe(face);
    const row = migrationRowOf(migration, true, wording);
    expect(row.label).toBe('web-1');
    expect(row.description).toMatch(/^[^→]+ · local → docker\b/);
    expect(row.spoken).toMatch(/^web-1, from local to docker\. ./);
    expect(row.contextValue).toMatch(new RegExp(`^migration\\+${face}\\b.*\\+can-open$`));
  });

  test('has an icon of a shape of its own for every state', () => {
    const shapes = each.map(([, migration]) => migrationRowOf(migration, false, wording).icon.id);
    expect(new Set(shapes).size).toBe(each.length);
  });

  test('says how far the copy is, as far as that is known', () => {
    const migration = migrationOf(1, {}, 'create-target');
    expect(migrationRowOf(migration, false, wording).description).toBe('copying 300 MB · local → docker');
    const steps = migration.steps.map(state => (state.status === 'running' ? { ...state, bytes: 120_000_000 } : state));
    expect(migrationRowOf({ ...migration, steps }, false, wording).description).toBe(
      'copying 120 MB of 300 MB · local → docker',
    );
    expect(migrationTooltip({ ...migration, steps }, wording)).toContain('**copying 120 MB of 300 MB**');
    expect(copiedPart({ ...migration, steps })).toBe(0.4);
  });

  test('says in a later step what is being done, and what that has moved', () => {
    const migration = migrationOf(1, {}, 'verify-target');
    expect(stateText(migration, wording)).toBe('Compare every byte');
    const steps = migration.steps.map(state => (state.status === 'running' ? { ...state, bytes: 2_000_000 } : state));
    expect(stateText({ ...migration, steps }, wording)).toBe('Compare every byte · 2 MB');
    expect(copiedPart({ ...migration, steps })).toBeUndefined();
  });

  test('that failed says why and when, and names what is left over', () => {
    const row = migrationRowOf(ended(1, 'failed', { error, leftovers: ['volume-1'] }), false, wording);
    expect(row.description).toBe('failed · The disk is full · left over: volume-1 · local → docker · 2 minutes ago');
  });

  test('can be cancelled until the pivot, and rolled back and cleaned up while its old copy is kept', () => {
    expect(migrationActions(migrationOf(1, {}, 'create-target'))).toEqual(['cancel']);
    expect(migrationActions(migrationOf(1, { pivotedAt: minutesAgo(1) }, 'clean-up-source'))).toEqual([]);
    expect(migrationActions(migrationOf(1, { cancelRequested: true }))).toEqual([]);
    expect(migrationActions(parked(1))).toEqual(['compare', 'rollBack', 'cleanUp']);
    expect(migrationActions(parked(1, { rolledBackAt: minutesAgo(1) }))).toEqual(['compare', 'cleanUp']);
    expect(migrationActions(parked(1, { parkedUntil: undefined }))).toEqual([]);
    expect(migrationActions(ended(1, 'failed'))).toEqual([]);
  });
});

test('what runs is listed first, then what is parked, then what is over; a plan is not listed', () => {
  const plan = migrationOf(9, { status: 'pending', startedAt: undefined });
  const given = [ended(1, 'failed'), parked(2), migrationOf(3), plan, ended(4, 'cancelled'), parked(5)];
  expect(migrationsShown(given).map(({ instanceName }) => instanceName)).toEqual([
    'web-3',
    'web-5',
    'web-2',
    'web-4',
    'web-1',
  ]);
});

describe('a step', () => {
  test('says its state, what came of it, bytes, files and how long it took', () => {
    const times = { startedAt: minutesAgo(4), endedAt: minutesAgo(1) };
    const row = stepRowOf({ step: 'create-target', status: 'done', bytes: 1_500, files: 2, ...times }, wording);
    expect(row).toMatchObject({ label: 'Copy to the target', description: 'done · 1.5 kB · 2 files · 3 min' });
    expect(row.spoken).toBe('Copy to the target, done. 1.5 kB. 2 files. 3 min');
  });

  test('under way says first what it has moved', () => {
    const row = stepRowOf({ step: 'create-target', status: 'running', bytes: 1_500 }, wording);
    expect(row.description).toBe('1.5 kB · under way');
  });

  test('that failed says why', () => {
    const row = stepRowOf({ step: 'verify-target', status: 'failed', note: 'A byte differs.' }, wording);
    expect(row.description).toBe('failed · A byte differs');
  });

  test('has a title and a shape of its own for every state', () => {
    const titles = MigrationStep.options.map(step => stepTitle(step, inEnglish));
    expect(new Set(titles).size).toBe(10);
    const states = ['pending', 'running', 'done', 'failed', 'undone', 'skipped'] as const;
    expect(new Set(states.map(state => stepIcon(state).id)).size).toBe(states.length);
  });
});

test('sizes and spans are in the language of the user', () => {
  expect([0, 999, 1_500, 300_000_000, 9_000_000_000].map(bytes => bytesText(bytes, 'en'))).toEqual([
    '0 bytes',
    '999 bytes',
    '1.5 kB',
    '300 MB',
    '9 GB',
  ]);
  expect(bytesText(1_500_000, 'de')).toBe('1,5 MB');
  expect([1_200, 30_000, 300_000].map(span => spanText(span, 'en'))).toEqual(['1.2 sec', '30 sec', '5 min']);
});

describe('the plan and the tooltip', () => {
  test('a plan says bytes, downtime and what is lost, before anyone agrees', () => {
    const { plan } = migrationOf(1);
    expect(planLines(plan, wording)).toEqual([
      '300 MB in 12 files will be copied and compared.',
      'It will not run for about 30 sec.',
      'Nothing is lost.',
    ]);
    expect(planLines({ ...plan, freeBytes: 41_000_000_000 }, wording)[1]).toBe('The target has 41 GB free.');
    expect(planLines({ ...plan, estimatedDowntime: 0, losses: ['Processes end.'] }, wording).slice(1)).toEqual([
      'It does not run now, so there is no downtime.',
      'Processes end.',
    ]);
  });

  test('a tooltip says what is kept, where and until when, and nothing where there is nothing', () => {
    const text = migrationTooltip(parked(1, { digest: 'ab'.repeat(32), downtimeMs: 4_200 }), wording);
    expect(text).toContain('Strategy: Stop, then copy');
    expect(text).toContain('Digest: abababababab  \n');
    expect(text).toContain('Downtime: 4\\.2 sec');
    expect(text).toContain('Old copy: kept on local until');
    expect(text).not.toContain('Left over');
    expect(migrationTooltip(parked(1, { rolledBackAt: minutesAgo(1) }), wording)).toContain('kept on docker until');
  });

  test('nobody’s name becomes a link or an image in it', () => {
    const text = migrationTooltip(migrationOf(1, { instanceName: '[a](command:b)', leftovers: ['![c](d)'] }), wording);
    expect(text).not.toMatch(/\]\(/);
  });
});
