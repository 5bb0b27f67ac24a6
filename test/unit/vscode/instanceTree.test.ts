import { describe, expect, test } from 'vitest';
import {
  changesBetween,
  defaultChoice,
  type InstanceTree,
  instanceRowId,
  isTroubled,
  type TreeFacts,
  treeOf,
  type ViewChoice,
} from '../../../src/vscode/instanceTree.ts';
import { facts, found, idOf, provider, record } from './rowFacts.ts';

const choose = (change: Partial<ViewChoice>): ViewChoice => ({ ...defaultChoice, ...change });

/** The tree as an outline, one row a line. */
function outline(tree: InstanceTree, rows = tree.roots, depth = 0): string[] {
  return rows.flatMap(id => [`${'  '.repeat(depth)}${id}`, ...outline(tree, tree.children.get(id) ?? [], depth + 1)]);
}
const outlineOf = (change: Partial<TreeFacts>) => outline(treeOf(facts(change)));
const row = (number: number) => instanceRowId(idOf(number));

describe('the tree', () => {
  test('groups by provider in the order of the settings, the trash and what was found last', () => {
    const records = [record(1, { providerId: 'docker' }), record(2), record(3, { status: 'trashed' })];
    const providers = [provider('local'), provider('docker')];
    expect(outlineOf({ records, providers, found: [found(9)] })).toEqual([
      'provider:local',
      `  ${row(2)}`,
      'provider:docker',
      `  ${row(1)}`,
      'found',
      `  found:docker/${idOf(9)}`,
      'trash',
      `  ${row(3)}`,
    ]);
  });

  test('groups by status with what wants a look first', () => {
    const records = [record(1), record(2, { status: 'failed' }), record(3, { status: 'stopped' })];
    expect(outlineOf({ records, choice: choose({ grouping: 'status' }) })).toEqual([
      'status:failed',
      `  ${row(2)}`,
      'status:running',
      `  ${row(1)}`,
      'status:stopped',
      `  ${row(3)}`,
    ]);
  });

  test('sorts names as people count, statuses by need, ages with the youngest first', () => {
    const records = [record(10), record(2, { status: 'failed' }), record(1)];
    const flat = (sorting: ViewChoice['sorting']) =>
      outlineOf({ records, choice: choose({ grouping: 'none', sorting }) });
    expect(flat('name')).toEqual([row(1), row(2), row(10)]);
    expect(flat('status')).toEqual([row(2), row(1), row(10)]);
    expect(flat('created')).toEqual([row(10), row(2), row(1)]);
  });

  test('an instance whose provider is no longer configured is still shown', () => {
    expect(outlineOf({ records: [record(1, { providerId: 'gone' })] })).toEqual([
      'provider:local',
      'provider:gone',
      `  ${row(1)}`,
    ]);
  });

  test('an unreachable provider has a row, whatever the grouping', () => {
    const providers = [provider('local'), provider('docker', { reachable: false })];
    for (const grouping of ['provider', 'status', 'none'] as const) {
      expect(outlineOf({ providers, choice: choose({ grouping }) })).toEqual(['provider:docker']);
    }
  });

  test('nothing at all leaves room for a welcome text, also when only an editor server is missing', () => {
    expect(outlineOf({})).toEqual([]);
    const missing = provider('local', { reachable: false, code: 'editor-server-missing' });
    expect(outlineOf({ providers: [missing] })).toEqual([]);
    expect(outlineOf({ providers: [missing, provider('docker', { reachable: false })] })).toHaveLength(2);
  });

  test.each([
    ['web-1', [row(1), row(10)]],
    ['WEB-10', [row(10)]],
    ['payments', [row(2)]],
    ['nothing', []],
  ])('the text %s keeps what has it in its name, provider or labels', (text, expected) => {
    const team = record(2, { config: { metadata: { team: 'payments' } } });
    const tree = treeOf(facts({ records: [record(1), team, record(10)], choice: choose({ grouping: 'none', text }) }));
    expect(tree.roots).toEqual(expected);
    expect(tree.shown + tree.hidden).toBe(3);
  });

  test('a choice of statuses keeps only these, and empty groups go', () => {
    const records = [record(1), record(2, { status: 'stopped', providerId: 'docker' })];
    const providers = [provider('local'), provider('docker')];
    expect(outlineOf({ records, providers, choice: choose({ statuses: ['stopped'] }) })).toEqual([
      'provider:docker',
      `  ${row(2)}`,
    ]);
  });

  test('failed and lost want a look; stopped does not', () => {
    const troubled = (['failed', 'lost', 'stopped', 'unknown', 'running'] as const).filter(status =>
      isTroubled(record(1, { status })),
    );
    expect(troubled).toEqual(['failed', 'lost']);
  });
});

describe('what is drawn again', () => {
  test('nothing when nothing changed', () => {
    const records = [record(1), record(2, { status: 'trashed' })];
    expect(changesBetween(treeOf(facts({ records })), treeOf(facts({ records })))).toEqual([]);
  });

  test('only the row whose record changed', () => {
    const [one, two] = [record(1), record(2)];
    const first = treeOf(facts({ records: [one, two] }));
    const second = treeOf(facts({ records: [one, { ...two, status: 'stopping' as const }] }));
    expect(changesBetween(first, second)).toEqual([row(2)]);
  });

  test('the group when its members changed', () => {
    const one = record(1);
    const first = treeOf(facts({ records: [one] }));
    expect(changesBetween(first, treeOf(facts({ records: [one, record(2)] })))).toEqual(['provider:local']);
  });

  test('the group when its provider went away, and everything when a group came', () => {
    const one = record(1);
    const first = treeOf(facts({ records: [one] }));
    const gone = facts({ records: [one], providers: [provider('local', { reachable: false, problem: 'no answer' })] });
    expect(changesBetween(first, treeOf(gone))).toEqual(['provider:local']);
    expect(changesBetween(first, treeOf(facts({ records: [one, record(2, { status: 'trashed' })] })))).toBe('all');
  });
});
