import { expect, test } from 'vitest';
import { inEnglish } from '../../../src/operations/translate.ts';
import { differenceText } from '../../../src/vscode/differenceText.ts';

const wording = { t: inEnglish, locale: 'en', now: 0 };

test('each place is named with what it is and its size, hostile names as text', () => {
  const text = differenceText(
    { instanceName: 'web' },
    {
      count: 5,
      changes: [
        { path: 'workspace/notes', what: 'changed', bytes: 5_000 },
        { path: 'a [link](command:x)\n# b', what: 'only-there', bytes: 0 },
        { path: 'new', what: 'only-here', bytes: 1 },
      ],
    },
    wording,
  );
  expect(text.split('\n')).toMatchInlineSnapshot(`
    [
      "# What Differs in web",
      "",
      "The old copy differs in 5 places.",
      "",
      "- workspace/notes: another one in the old copy, 5 kB",
      "- a \\[link\\]\\(command:x\\)\\\\n\\# b: only in the old copy",
      "- new: not in the old copy, 1 byte",
      "",
      "…and in 2 more.",
      "",
      "Roll Back makes the old copy the instance again, and keeps the other one\\. Clean Up Source removes the old copy for good\\.",
      "",
      "",
    ]
  `);
});

test('two that are the same are told so', () => {
  expect(differenceText({ instanceName: 'web' }, { count: 0, changes: [] }, wording)).toContain('Nothing differs');
});
