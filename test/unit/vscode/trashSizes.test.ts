import { expect, test } from 'vitest';
import type { InstanceRecord } from '../../../src/model/instance.ts';
import { changesBetween, treeOf } from '../../../src/vscode/instanceTree.ts';
import { TrashSizes } from '../../../src/vscode/trashSizes.ts';
import { facts, idOf, record } from './rowFacts.ts';

const trashed = (number: number, change: Partial<InstanceRecord> = {}) =>
  record(number, { status: 'trashed', desired: 'trashed', trashedAt: '2026-03-01T12:00:00.000Z', ...change } as object);

test('homes in the trash are weighed once, each provider in one go, and what it could not tell again', async () => {
  const asked: [string, readonly string[]][] = [];
  let reachable = false;
  const sizes = new TrashSizes(async (providerId, ids) => {
    asked.push([providerId, ids]);
    if (providerId === 'docker' && !reachable) throw new Error('It does not answer.');
    return new Map(ids.map(id => [id, 100]));
  });
  const records = [trashed(1), trashed(2), trashed(3, { providerId: 'docker' })];
  expect(await sizes.ask(records)).toBe(true);
  expect(records.map(one => sizes.of(one))).toEqual([100, 100, undefined]);
  expect(await sizes.ask(records)).toBe(false);
  reachable = true;
  expect(await sizes.ask(records)).toBe(true);
  expect(await sizes.ask(records)).toBe(false);
  expect(asked.filter(([providerId]) => providerId === 'local')).toEqual([['local', [idOf(1), idOf(2)]]]);
  expect(asked.filter(([providerId]) => providerId === 'docker')).toHaveLength(3);
});

test('a size that comes draws its own row alone, and no group whose rows somebody may be using', () => {
  const records = [trashed(1), trashed(2)];
  const [before, after] = [
    facts({ records }),
    facts({ records, bytesOf: one => (one === records[0] ? 5 : undefined) }),
  ];
  expect(changesBetween(treeOf(before), treeOf(after))).toEqual([`instance:${idOf(1)}`]);
});

test('what was taken out and deleted again is weighed anew', async () => {
  const sizes = new TrashSizes(async () => new Map([[idOf(1), 100]]));
  await sizes.ask([trashed(1)]);
  expect(sizes.of(trashed(1, { trashedAt: '2026-03-02T12:00:00.000Z' }))).toBeUndefined();
  expect(sizes.of(record(1))).toBeUndefined();
});
