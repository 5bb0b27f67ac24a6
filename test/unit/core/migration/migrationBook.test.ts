import { expect, test } from 'vitest';
import { MigrationBook } from '../../../../src/core/migration/migrationBook.ts';
import { freshSteps } from '../../../../src/core/migration/migrationSteps.ts';
import { untilDecided } from '../../../../src/core/retention.ts';
import { Migration } from '../../../../src/model/migration.ts';
import { MemoryStore } from '../../../fakes/memoryStore.ts';

const at = (index: number) => new Date(Date.UTC(2026, 0, 1) + index * 60_000).toISOString();

/** One that has come to its end, and of which nothing is left at either end. */
const ended = (index: number, over: Partial<Migration> = {}): Migration => ({
  ...{ id: String(index).padStart(12, '0'), schemaVersion: 1, revision: 0, instanceId: 'aaaaaaaaaaaa' },
  ...{ instanceName: 'web', sourceProviderId: 'here', targetProviderId: 'there', strategy: 'stop-and-recreate' },
  ...{ status: 'completed', plan: { bytes: 0, files: 0, estimatedDowntime: 0, losses: [] } },
  ...{ steps: freshSteps('stop-and-recreate'), createdAt: at(index), endedAt: at(index), pivotedAt: at(index) },
  ...{ wasRunning: true, sourceEpoch: 1, leftovers: [] },
  ...over,
});

test('of what left nothing the fifty youngest stay, however it ended; the rest, whatever is left of it, for ever', async () => {
  const book = new MigrationBook(new MemoryStore(Migration));
  const { endedAt: _endedAt, ...begun } = ended(0);
  const needed: Migration[] = [
    { ...begun, status: 'in-progress' },
    ended(1, { parkedUntil: at(1) }),
    ended(2, { parkedUntil: untilDecided, instanceRemovedAt: at(2) }),
    ended(3, { leftovers: ['The copy of "web" on "here"'] }),
  ];
  const spent: Partial<Migration>[] = [
    {},
    { instanceRemovedAt: at(9) },
    { rolledBackAt: at(9) },
    { status: 'failed', pivotedAt: undefined },
  ];
  for (const one of needed) await book.add(one);
  for (let index = 10; index < 140; index += 1) await book.add(ended(index, spent[index % spent.length]));
  const ids = (await book.readAll()).map(({ id }) => Number(id)).sort((a, b) => a - b);
  expect(ids).toEqual([0, 1, 2, 3, ...[...Array(50).keys()].map(index => index + 90)]);
  book.dispose();
});
