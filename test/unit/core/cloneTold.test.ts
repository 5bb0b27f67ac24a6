import { describe, expect, test } from 'vitest';
import { toldOf } from '../../../src/core/cloneTold.ts';

const told = (...lines: string[][]) => toldOf(`${lines.map(words => words.join('\t')).join('\n')}\n`, 60);

describe('what a clone says that is there, but not whole', () => {
  test.each([
    ['nothing', [], { problems: [], notes: [] }],
    [
      'a branch that could not be fetched',
      ['ref', 'topic', "fatal: unable to access 'https://host/': Could not resolve host: host\u001f", 'main'],
      {
        problems: [
          '"topic" could not be checked out: fatal: unable to access \'https://host/\': Could not resolve host: host. "main" was checked out instead; run "git switch" with another branch in the instance.',
        ],
        notes: [],
      },
    ],
    [
      'a submodule whose server is silent',
      ['submodule', 'lib', 'silent'],
      {
        problems: [
          'Submodule lib is empty: nothing came for 60 seconds. Run "git submodule update --init --recursive" in the instance when that is mended.',
        ],
        notes: [],
      },
    ],
    [
      'large files of a submodule, of which nothing is said',
      ['large', '3', 'lib', ''],
      {
        problems: [
          '3 large files are only pointers in lib: git said nothing of why. Run "git lfs pull" in the instance when that is mended.',
        ],
        notes: [],
      },
    ],
    [
      'many branches and no default one',
      ['default', 'master', 'a b c d e f g'],
      {
        problems: [
          'The default branch "master" of the repository is not there, so nothing was checked out. It has "a", "b", "c", "d", "e" and 2 more. Run "git switch" with one of them in the instance.',
        ],
        notes: [],
      },
    ],
  ])('%s', (_, words, right) => {
    expect(told(words)).toEqual(right);
  });

  test('of many submodules some are named, and the others counted', () => {
    const { problems } = told(...Array.from({ length: 30 }, (_, index) => ['submodule', `lib${index}`, 'wanted']));
    expect(problems).toHaveLength(6);
    expect(problems[5]).toBe(
      '25 more submodules are empty. Run "git submodule update --init --recursive" in the instance when that is mended.',
    );
  });
});
