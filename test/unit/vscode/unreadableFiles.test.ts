import { expect, test, vi } from 'vitest';

const editor = vi.hoisted(() => ({ messages: [] as { text: string; answer: (button?: string) => void }[] }));

vi.mock('vscode', () => ({
  window: {
    showWarningMessage: (text: string) => new Promise(answer => editor.messages.push({ text, answer })),
  },
  env: { language: 'en' },
  l10n: { t: (text: string, ...args: unknown[]) => text.replace(/\{(\d)\}/g, (_, i) => String(args[i])) },
}));

const { UnreadableFiles } = await import('../../../src/vscode/unreadableFiles.ts');

test('a file that cannot be read is told to a person, many at once with one message, and each in the log', async () => {
  const lines: string[] = [];
  let shown = 0;
  const files = new UnreadableFiles({ warn: (line: string) => lines.push(line), show: () => shown++ } as never);
  const told = ['one', 'two', 'three'].map(name =>
    files.tell({ file: `/state/${name}`, reason: 'id: must be [a](b)' }),
  );
  expect(lines.map(line => line.split(' ')[0])).toEqual(['/state/one', '/state/two', '/state/three']);
  expect(editor.messages.map(({ text }) => text)).toEqual([
    'A state file cannot be read, and was kept as it is: /state/one (id: must be [a] (b)). The rest was loaded.',
  ]);
  editor.messages[0]?.answer('Show Log');
  await Promise.all(told);
  expect(shown).toBe(1);
  void files.tell({ file: '/state/four', reason: 'torn' });
  expect(editor.messages).toHaveLength(2);
});
