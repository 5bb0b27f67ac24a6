import { expect, test } from 'vitest';
import { ProviderDirectory } from '../../../src/core/providerDirectory.ts';
import { providerRefused } from '../../../src/model/errors.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';

test('a provider’s condition is told when anything in it changes, and only then', () => {
  const directory = new ProviderDirectory([new MemoryProvider()]);
  let told = 0;
  directory.onDidChange(() => {
    told += 1;
  });
  const failures = [
    providerRefused('one', 'It refuses.', 'Try this.'),
    providerRefused('one', 'It refuses.', 'Try that.'),
    providerRefused('other', 'It refuses.', 'Try that.'),
  ];
  for (const [index, failure] of failures.entries()) {
    directory.noteFailure('memory', failure);
    directory.noteFailure('memory', failure);
    expect(told).toBe(index + 1);
  }
  directory.noteReachable('memory');
  directory.noteReachable('memory');
  expect(told).toBe(failures.length + 1);
});
