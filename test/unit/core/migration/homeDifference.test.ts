import fc from 'fast-check';
import { expect, test } from 'vitest';
import { differenceOf } from '../../../../src/core/migration/homeDifference.ts';
import type { HomeEntry } from '../../../../src/model/homeArchive.ts';
import { orderOf } from '../../../../src/model/homeEntries.ts';

const entry = (path: string, over: Partial<HomeEntry> = {}): HomeEntry => ({
  ...{ path, type: 'f', mode: 0o644, size: 1, mtime: '1', own: null, target: '', sha: 'a'.repeat(64) },
  ...over,
});

async function* told(entries: readonly HomeEntry[]) {
  yield* entries;
}

const compare = (here: readonly HomeEntry[], there: readonly HomeEntry[]) => differenceOf(told(here), told(there));

test('each kind of difference is named, with the size of what is there', async () => {
  const here = [entry('.', { type: 'd' }), entry('both'), entry('edited'), entry('new', { size: 7 })];
  const there = [
    entry('.', { type: 'd' }),
    entry('both'),
    entry('edited', { sha: 'b'.repeat(64), size: 5 }),
    entry('old'),
  ];
  expect(await compare(here, there)).toEqual({
    count: 3,
    changes: [
      { path: 'edited', what: 'changed', bytes: 5 },
      { path: 'new', what: 'only-here', bytes: 7 },
      { path: 'old', what: 'only-there', bytes: 1 },
    ],
  });
});

test('times, owners and the sizes of folders are none', async () => {
  const here = [entry('folder', { type: 'd', size: 4096 }), entry('folder/file')];
  const there = [
    entry('folder', { type: 'd', size: 60, mtime: '2' }),
    entry('folder/file', { mtime: '2', own: [1, 1] }),
  ];
  expect(await compare(here, there)).toEqual({ count: 0, changes: [] });
});

test('names in other bytes than UTF-8 are shown as well as can be', async () => {
  const path = Buffer.from('für').toString('latin1');
  expect((await compare([], [entry(path), entry(`${path}\xff`)])).changes.map(change => change.path)).toEqual([
    'für',
    'für\uFFFD',
  ]);
});

test('of very many only the first are named', async () => {
  const there = Array.from({ length: 1_500 }, (_, index) => entry(`file-${String(index).padStart(4, '0')}`));
  const { count, changes } = await compare([], there);
  expect([count, changes.length, changes.at(-1)?.path]).toEqual([1_500, 1_000, 'file-0999']);
});

test("the editor's own files come after all that somebody works on", async () => {
  const caches = Array.from({ length: 1_200 }, (_, index) => entry(`.vscode-server/data/${1_000 + index}`));
  const { count, changes } = await compare([], [...caches, entry('workspace/work')]);
  expect([count, changes.length, changes[0]?.path]).toEqual([1_201, 1_000, 'workspace/work']);
});

test('it finds just what a comparison by path finds, whatever the trees', async () => {
  const part = fc.constantFrom('a', 'b', 'ab', 'a.b', 'a b');
  const home = fc
    .dictionary(
      fc.array(part, { minLength: 1, maxLength: 3 }).map(parts => parts.join('/')),
      fc.constantFrom('1', '2'),
    )
    .map(files =>
      Object.entries(files)
        .map(([path, content]) => entry(path, { sha: content.repeat(64) }))
        .sort((one, other) => (orderOf(one.path) < orderOf(other.path) ? -1 : 1)),
    );
  await fc.assert(
    fc.asyncProperty(home, home, async (here, there) => {
      const [ours, theirs] = [here, there].map(entries => new Map(entries.map(({ path, sha }) => [path, sha])));
      const differing = [...new Set([...(ours?.keys() ?? []), ...(theirs?.keys() ?? [])])].filter(
        path => ours?.get(path) !== theirs?.get(path),
      );
      const { count, changes } = await compare(here, there);
      expect(changes.map(({ path }) => path).toSorted()).toEqual(differing.toSorted());
      expect(count).toBe(differing.length);
    }),
  );
});
