import { describe, expect, test } from 'vitest';
import { GitUrl, InstanceName } from '../../../src/model/instance.ts';
import { namePattern } from '../../../src/model/namePattern.ts';
import { withoutPassword } from '../../../src/providers/docker/dockerEndpoint.ts';
import { isVolumeGone, translateEngineError } from '../../../src/providers/docker/engineErrors.ts';
import { parsePs } from '../../../src/providers/local/macProcesses.ts';
import { redactedText } from '../../../src/vscode/diagnosticsText.ts';

const answer = (text: string) => Object.assign(new Error(text), { statusCode: 500 });
const translated = (text: string) =>
  translateEngineError(answer(text), { providerId: 'engine', address: 'unix:///engine.sock', doing: 'It' });

/** What meets text from outside, and a text of about `length` that a rule with two ways to read it would be slow on. */
const readers: Readonly<Record<string, readonly [read: (text: string) => unknown, text: (length: number) => string]>> =
  {
    'a URL of colons': [text => GitUrl.safeParse(text), length => `ssh://a${':'.repeat(length)}`],
    'a name of blanks': [text => InstanceName.safeParse(text), length => `a${' '.repeat(length)}`],
    'a pattern that fits nearly': [text => namePattern('*a*b')(text), length => 'a'.repeat(length)],
    'an address of colons': [withoutPassword, length => ':'.repeat(length)],
    'a row of processes that ends in blanks': [parsePs, length => `1 1 S a${' '.repeat(length)}b\u2028`],
    'schemes without an end': [redactedText, length => 'a.'.repeat(length / 2)],
    'parameters without a value': [redactedText, length => '&token='.repeat(length / 7)],
    'mounts that are there': [text => isVolumeGone(answer(text)), length => 'mount source '.repeat(length / 13)],
    'names that are looked up': [translated, length => 'lookup '.repeat(length / 7)],
    'manifests that are there': [translated, length => 'manifest for '.repeat(length / 13)],
  };

/** Of processor time: what else the machine does is not counted. */
const millisecondsOf = (work: () => unknown) => {
  const times = [1, 2, 3].map(() => {
    const begin = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(begin);
    return (user + system) / 1_000;
  });
  return Math.min(...times);
};

describe('four times as long costs about four times as much', () => {
  test.each(Object.entries(readers))('%s', (_name, [read, text]) => {
    const [short, long] = [20_000, 80_000].map(length => millisecondsOf(() => read(text(length)))) as [number, number];
    expect(long).toBeLessThan(Math.max(20, 8 * short));
  });
});

test('no address tells a password', () => {
  expect(withoutPassword('tcp://ann:pa:ss@host:2375/v1@x')).toBe('tcp://ann:***@host:2375/v1@x');
  expect(withoutPassword('ann:p@ss@host')).toBe('ann:***@host');
  expect(withoutPassword('tcp://host:2375')).toBe('tcp://host:2375');
});
