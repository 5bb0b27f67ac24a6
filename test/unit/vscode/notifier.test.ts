import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect, test, vi } from 'vitest';
import { untilDecided } from '../../../src/core/retention.ts';
import type { Migration } from '../../../src/model/migration.ts';
import { editor } from './fakeEditor.ts';

vi.mock('vscode', async () => {
  const { module } = (await import('./fakeEditor.ts')).editor;
  const focus = { state: { focused: true }, onDidChangeWindowState: () => ({ dispose: () => {} }) };
  return { ...module, window: { ...module.window, ...focus } };
});

const { Notifier } = await import('../../../src/vscode/notifier.ts');

const oldCopyAt = (sourceProviderId: string, createdAt: string) =>
  ({
    ...{ id: sourceProviderId, instanceId: 'web', instanceName: 'web', sourceProviderId, targetProviderId: 'third' },
    ...{ createdAt, parkedUntil: untilDecided },
  }) as Migration;

test('each old copy of an instance that a person must decide on is told of once, in whatever window', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'notices-'));
  const copies = [oldCopyAt('two', '2026-01-02T00:00:00.000Z'), oldCopyAt('one', '2026-01-01T00:00:00.000Z')];
  const controller = {
    claim: { hindrance: undefined },
    ...{ health: { list: () => [] }, registry: { getInstance: () => undefined, listInstances: () => [] } },
    ...{ migrations: { listMigrations: () => copies }, providers: { condition: () => ({ reachable: true }) } },
  };
  const warned: string[] = [];
  const face = {
    host: { ready: { controller } },
    context: { globalStorageUri: { fsPath: folder } },
    log: { warn: (line: string) => warned.push(line) },
  };
  const windows = [new Notifier(face as never), new Notifier(face as never)];
  windows[0]?.tell();
  await vi.waitFor(() => expect(editor.messages).toHaveLength(2));
  copies.push(oldCopyAt('zero', '2026-01-03T00:00:00.000Z'));
  windows[0]?.tell();
  await vi.waitFor(() => expect(editor.messages.some(({ text }) => text.includes('on zero'))).toBe(true));
  copies.push(oldCopyAt('fourth', '2026-01-04T00:00:00.000Z'));
  windows[1]?.tell();
  await vi.waitFor(() => expect(editor.messages.some(({ text }) => text.includes('on fourth'))).toBe(true));
  expect(editor.messages).toHaveLength(4);
  expect(warned).toEqual([]);
  for (const window of windows) window.dispose();
  await rm(folder, { recursive: true });
});
