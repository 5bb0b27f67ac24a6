import { describe, expect, test } from 'vitest';
import { EnvironmentName, GitUrl } from '../../../src/model/instance.ts';

describe('the address of a repository', () => {
  test.each([
    'https://example.org/a/b.git',
    'http://127.0.0.1:8080/x',
    'ssh://git@example.org/a',
    'ssh://git@example.org:2222/a',
    'git://example.org:9418/a',
    'git@example.org:a/b.git',
    'ssh://example.org/a@b:c',
  ])('%s can be cloned', url => {
    expect(GitUrl.safeParse(url).success).toBe(true);
  });

  test.each([
    'https://me:hunter2@example.org/a',
    'https://me@example.org/a',
    'https:///me:hunter2@example.org/a',
    'ssh://me:hunter2@example.org/a',
    'git://me:hunter2@example.org/a',
    'ext::sh -c id',
    'file:///etc',
    '--upload-pack=id',
  ])('%s is refused: a password would stand in records and logs, and others run what they like', url => {
    expect(GitUrl.safeParse(url).success).toBe(false);
  });
});

test.each(['LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH', 'BASH_ENV', 'ENV', 'HOME', 'NODE_OPTIONS', 'VSCODE_X'])(
  'the variable %s would change how the server starts, and is refused',
  name => {
    expect(EnvironmentName.safeParse(name).success).toBe(false);
    expect(EnvironmentName.safeParse(`MY_${name}`).success).toBe(true);
  },
);
