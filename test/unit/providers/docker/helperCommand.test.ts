import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { helperCommand } from '../../../../src/providers/docker/registryCredentials.ts';
import { commandFiles, findCommand } from '../../../../src/providers/findCommand.ts';

const env = { PATH: 'C:\\bin', ComSpec: 'C:\\Windows\\System32\\cmd.exe' };

test('a helper that is a script is run by the shell of Windows, and not from the folder of the editor', () => {
  const name = 'docker-credential-gcloud';
  expect(helperCommand(name, `C:\\Program Files (x86)\\Google\\${name}.CMD`, env)).toEqual({
    file: env.ComSpec,
    args: ['/d', '/c', name, 'get'],
    env: { ...env, NoDefaultCurrentDirectoryInExePath: '1' },
  });
  const program = 'C:\\Docker\\docker-credential-desktop.exe';
  expect(helperCommand('docker-credential-desktop', program, env)).toEqual({ file: program, args: ['get'], env });
  expect(helperCommand(name, undefined, env)).toEqual({ file: name, args: ['get'], env });
});

test('a command on Windows has one of the endings of programs, and elsewhere none', () => {
  expect(commandFiles('npm', 'linux', '.EXE')).toEqual(['npm']);
  expect(commandFiles('npm', 'win32')).toEqual(['npm.com', 'npm.exe', 'npm.bat', 'npm.cmd']);
  expect(commandFiles('npm', 'win32', '.EXE;;.CMD')).toEqual(['npm.exe', 'npm.cmd']);
  expect(commandFiles('npm.cmd', 'win32')).toEqual(['npm.cmd']);
});

test('npm is found on Windows, where a script for other shells lies beside it', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-command-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ['npm', 'npm.cmd']) {
    writeFileSync(path.join(folder, name), '');
    chmodSync(path.join(folder, name), 0o755);
  }
  expect(await findCommand('npm', folder, 'win32')).toBe(path.join(folder, 'npm.cmd'));
  expect(await findCommand('npm', folder, 'linux')).toBe(path.join(folder, 'npm'));
});
