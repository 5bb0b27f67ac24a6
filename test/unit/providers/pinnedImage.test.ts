import { describe, expect, test } from 'vitest';
import { pinnedReference } from '../../../src/providers/docker/pull.ts';
import { imageFor, pinned } from '../../../src/providers/pinnedImage.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const other = `sha256:${'b'.repeat(64)}`;
const id = `sha256:${'c'.repeat(64)}`;

describe('an instance is made anew', () => {
  const isId = (image: string) => image.startsWith('sha256:');

  test.each([
    ['of what it was made of', 'debian:12', `debian:12@${digest}`, `debian:12@${digest}`],
    ['of a digest that was asked for', `debian@${digest}`, `debian@${digest}`, `debian@${digest}`],
    ['of the default that it got, whatever is the default now', undefined, `old:1@${digest}`, `old:1@${digest}`],
    ['of what only its engine knows', 'dev', id, id],
    ['of another name when it has one now', 'debian:13', `debian:12@${digest}`, 'debian:13'],
    ['of another digest when it has one now', `debian:12@${other}`, `debian:12@${digest}`, `debian:12@${other}`],
    ['of its name where nothing is known', 'debian:12', undefined, 'debian:12'],
    ['of the default where nothing is known', undefined, undefined, 'editor:2'],
  ])('%s', (_what, asked, pinnedImage, expected) => {
    expect(imageFor(asked, 'editor:2', { pinnedImage }, isId)).toBe(expected);
    expect(imageFor(asked, 'editor:2', { pinnedImage, renews: true }, isId)).toBe(asked ?? 'editor:2');
  });
});

test.each([
  ['debian:12', [`debian@${digest}`], `debian:12@${digest}`],
  ['docker.io/library/debian', [`debian@${digest}`], `docker.io/library/debian@${digest}`],
  ['index.docker.io/team/app:1', [`team/app@${digest}`], `index.docker.io/team/app:1@${digest}`],
  ['127.0.0.1:5000/team/app', [`127.0.0.1:5000/team/app@${digest}`], `127.0.0.1:5000/team/app@${digest}`],
  ['team/app:1', [`mirror.example/team/app@${other}`, `team/app@${digest}`], `team/app:1@${digest}`],
  // Of another repository that digest may be of nothing.
  ['team/app:1', [`mirror.example/team/app@${other}`], id],
  ['dev', [], id],
  [`debian:12@${other}`, [`debian@${digest}`], `debian:12@${other}`],
  [id, [`debian@${digest}`], id],
])('%s, of which the engine knows %j, is for good %s', (reference, known, expected) => {
  expect(pinnedReference(reference, id, known)).toBe(expected);
  expect(pinned(expected, other)).toBe(expected.includes('@') ? expected : `${expected}@${other}`);
});
