import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { linkArguments } from '../../../src/providers/sshLink.ts';

const hasSsh = spawnSync('ssh', ['-V']).status === 0;
const settingsOf = (args: readonly string[]) => {
  const { stdout, stderr } = spawnSync('ssh', ['-G', '-F', 'none', ...args], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n');
};

test.skipIf(!hasSsh)('ssh takes the place of its socket as it is, wherever temporary files lie', () => {
  const socket = '/tmp/a b%h%c/s';
  expect(settingsOf(linkArguments({ host: 'h' }, socket, 'connection'))).toContain(`controlpath ${socket}`);
  expect(settingsOf(linkArguments({ host: 'h' }, socket, { forwardTo: '127.0.0.1:80' }))).toEqual(
    expect.arrayContaining([`localforward ${socket} [127.0.0.1]:80`, 'exitonforwardfailure no']),
  );
});
