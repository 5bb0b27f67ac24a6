import { beforeEach, expect, test, vi } from 'vitest';
import { generatedContributes } from '../../../scripts/manifest.ts';
import { settingsTable } from '../../../src/vscode/settingsTable.ts';

// A window that is at another computer, with the extension on the person's side.
const made: { cwd?: unknown }[] = [];
const dialogs: { defaultUri?: unknown }[] = [];
const errors: string[] = [];
const chosen: { scheme: string; fsPath: string }[] = [];
vi.mock('vscode', () => ({
  l10n: { t: (text: string, ...parts: string[]) => text.replace('{0}', parts[0] ?? '') },
  env: { language: 'en' },
  Uri: { file: (path: string) => ({ scheme: 'file', fsPath: path }) },
  ThemeIcon: class {},
  EventEmitter: class {},
  window: {
    createTerminal: (options: { cwd?: unknown }) => {
      made.push(options);
      return { show: () => {} };
    },
    showOpenDialog: async (options: { defaultUri?: unknown }) => {
      dialogs.push(options);
      return chosen;
    },
    showErrorMessage: (text: string) => void errors.push(text),
  },
}));
beforeEach(() => {
  for (const list of [made, dialogs, errors, chosen]) list.length = 0;
});

test('a terminal of an instance here starts here, as only a folder that is told as a file of this computer does', async () => {
  const { openTerminal } = await import('../../../src/vscode/instanceTerminal.ts');
  openTerminal('shop', { kind: 'process', file: '/bin/sh', args: [], cwd: '/home/me/workspace', env: {} });
  expect(made).toMatchObject([{ cwd: { scheme: 'file', fsPath: '/home/me/workspace' } }]);
});

test('the folder that is copied is chosen on this computer, and one of the other is none of it', async () => {
  const { chooseFolder } = await import('../../../src/vscode/commands/chooseFolder.ts');
  chosen.push({ scheme: 'file', fsPath: '/home/me/app' });
  expect(await chooseFolder()).toBe('/home/me/app');
  expect(dialogs).toMatchObject([{ defaultUri: { scheme: 'file' } }]);
  const remote = {
    scheme: 'vscode-remote',
    fsPath: '/home/me/app',
    toString: () => 'vscode-remote://wsl+Debian/home/me/app',
  };
  chosen.splice(0, 1, remote);
  expect(await chooseFolder()).toBeUndefined();
  expect(errors).toEqual([expect.stringContaining('wsl+Debian/home/me/app is not on this computer')]);
});

test('settings that name what one computer has are not carried to another, and hold in a remote window', () => {
  const { configuration } = generatedContributes({ publisher: 'p', name: 'n' });
  const { properties } = configuration as { properties: Record<string, { scope: string; ignoreSync?: boolean }> };
  const kept = Object.keys(properties).filter(key => properties[key]?.ignoreSync);
  expect(kept.sort()).toEqual([
    'remoteSwarm.defaultProviderType',
    'remoteSwarm.enabledProviders',
    'remoteSwarm.providers',
    'remoteSwarm.stateDirectory',
  ]);
  // Of the scope `machine` those of the other computer would count there.
  expect(new Set(settingsTable.map(row => properties[row.key]?.scope))).toEqual(new Set(['application']));
});
