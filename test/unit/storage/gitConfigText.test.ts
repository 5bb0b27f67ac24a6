import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editedConfig, type GitSetting } from '../../../src/storage/gitConfigText.ts';

const settingsOf = (text: string) => {
  const found: GitSetting[] = [];
  editedConfig(text, setting => {
    found.push(setting);
    return setting.value;
  });
  return found;
};

/** As git itself reads them: names with their values. */
const readByGit = (text: string) =>
  execFileSync('git', ['config', '--null', '--no-includes', '--list', '--file', '-'], { input: text, encoding: 'utf8' })
    .split('\0')
    .slice(0, -1)
    .map(entry => entry.split(/\n(.*)/s))
    .map(([name = '', value = 'true']) => [name, value]);
const read = (text: string) =>
  settingsOf(text).map(({ section, subsection, name, value }) => [
    [section, subsection, name].filter(Boolean).join('.'),
    value,
  ]);

describe('a configuration file of git', () => {
  const odd = [
    '[core]\n\tworktree = "/a b"\n\tbare\n',
    '[core] hooksPath = /x # why\n[Remote "or\\"i]gin"]\n  URL = "a;b" ; no\n',
    '[include]\n\tpath = /one\\\n/two\n\tpath = "a\\\\"\n[core]\n\tx = 1\n',
    '; a comment that ends with \\\n[a]\nb = c   d  \n[a.Sub]\nb="x\\ty"\n',
    '[a]\r\n\tb = c\r\n\td = e\\\r\nf\r\n',
  ];
  test.each(odd)('%j is read as git reads it', text => {
    expect(read(text)).toEqual(readByGit(text));
  });

  test.each(odd)('%j stays byte for byte as it is where nothing is changed', text => {
    expect(editedConfig(text, ({ value }) => value)).toBe(text);
  });

  test('a setting that is left out, and one that is changed, are so for git', () => {
    const text = '# mine\n[core] worktree = /a\n\thooksPath = "/b"\n\tbare = false\n';
    const own = editedConfig(text, ({ name, value }) =>
      name === 'worktree' ? undefined : name === 'hookspath' ? '/it"s \\ #1' : value,
    );
    expect(readByGit(own)).toEqual([
      ['core.hookspath', '/it"s \\ #1'],
      ['core.bare', 'false'],
    ]);
    expect(own).toContain('# mine\n');
  });

  test('any value is read back as it was written', () => {
    const word = fc.string({
      unit: fc.constantFrom('a', ' ', '"', '\\', '#', ';', '\n', '\t', 'ü', '='),
      maxLength: 12,
    });
    fc.assert(
      fc.property(word, value => {
        const text = editedConfig('[a]\n\tb = c\n', () => value);
        expect(read(text)).toEqual([['a.b', value]]);
      }),
    );
  });
});
