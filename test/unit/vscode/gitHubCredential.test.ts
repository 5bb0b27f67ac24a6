import { beforeEach, describe, expect, test, vi } from 'vitest';
import { gitHubCredential } from '../../../src/vscode/gitHubCredential.ts';

const editor = vi.hoisted(() => ({ asked: [] as unknown[], session: { accessToken: 'gho_x' } as unknown }));

vi.mock('vscode', () => ({
  authentication: {
    getSession: async (...asked: unknown[]) => {
      editor.asked.push(asked);
      if (editor.session instanceof Error) throw editor.session;
      return editor.session;
    },
  },
}));
beforeEach(() => {
  editor.asked.length = 0;
  editor.session = { accessToken: 'gho_x' };
});

describe('the GitHub session', () => {
  test.each([
    'https://github.com.evil.org/a/b.git',
    'https://github.com:8443/a/b.git',
    'https://github.com:443@evil.org/a/b.git',
    'https://github.com@evil.org/a/b.git',
    'https://github.com%2f@evil.org/a/b.git',
    'https://github.com\\@evil.org/a/b.git',
    'https://github.com./a/b.git',
    'https://GitHub.com/a/b.git',
    'https://www.github.com/a/b.git',
    'https://gist.github.com/a.git',
    'https://xn--gthub-1ta.com/a/b.git',
    'https://gıthub.com/a/b.git',
    'https://github.com',
    'http://github.com/a/b.git',
    'git://github.com/a/b.git',
    'ssh://git@github.com/a/b.git',
    'git@github.com:a/b.git',
    ' https://github.com/a/b.git',
    'ext::https://github.com/a/b.git',
  ])('is not for %s', url => {
    expect(gitHubCredential(url)).toBeUndefined();
    expect(editor.asked).toEqual([]);
  });

  test('is asked for where a person is there, and only looked for where nobody is', async () => {
    const credential = gitHubCredential('https://github.com/a/b.git');
    expect(editor.asked).toEqual([]);
    expect(await credential?.read(true)).toBe('gho_x');
    expect(await credential?.read(false)).toBe('gho_x');
    expect(editor.asked).toEqual([
      ['github', ['repo'], { createIfNone: true }],
      ['github', ['repo'], { silent: true }],
    ]);
  });

  test('of a person who does not sign in is none', async () => {
    editor.session = new Error('User did not consent to login.');
    expect(await gitHubCredential('https://github.com/a/b.git')?.read(true)).toBeUndefined();
  });
});
