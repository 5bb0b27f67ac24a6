import { expect, test } from 'vitest';
import { planOf } from '../../../../src/core/migration/migrationPlanner.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';

test('a plan names what of a home stays behind', async () => {
  const here = new MemoryProvider();
  const { controller } = memorySwarm({ providers: [here] });
  await controller.initialize();
  await controller.refresh();
  const { id } = await controller.createInstance({ name: 'web' }, here.id);
  const record = controller.getInstance(id);
  const size = { bytes: 1, files: 1 };
  const lossesOf = (facts: Pick<Parameters<typeof planOf>[2], 'skipped' | 'attributed' | 'foreign'>) =>
    planOf(record, 'create-then-stop', { ...size, ...facts }, here, [], undefined).losses;
  const nothing = { count: 0, names: [] };
  const always = lossesOf({ skipped: nothing });
  expect(lossesOf({ skipped: nothing, attributed: nothing })).toEqual(always);
  const some = lossesOf({
    skipped: { count: 1, names: ['pipe'] },
    attributed: { count: 3, names: ['a', 'folder/b'] },
    foreign: { count: 1, names: ['data'] },
  });
  expect(some).toEqual([
    ...always,
    'Sockets, pipes and devices stay behind, 1 in all: pipe.',
    'Extended attributes and access lists (ACLs) stay behind, of files and folders, 3 in all: a, folder/b.',
    'Owners and groups other than the home’s are kept only where the target’s program runs as root, 1 in all: data.',
  ]);
  await controller.dispose();
});
