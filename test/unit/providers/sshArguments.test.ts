import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { forwardArguments, masterArguments, sshArguments } from '../../../src/providers/sshArguments.ts';

const hasSsh = spawnSync('ssh', ['-V']).status === 0;
/** What `ssh` makes of its arguments, with a configuration as people have them. */
function settingsOf(args: readonly string[], configuration = ''): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-ssh-'));
  try {
    const file = path.join(folder, 'config');
    writeFileSync(file, configuration);
    const { stdout, stderr } = spawnSync('ssh', ['-G', '-F', file, ...args], { encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.skipIf(!hasSsh)('ssh takes the place of its socket as it is, wherever temporary files lie', () => {
  const socket = '/tmp/a b%h%c/s';
  expect(settingsOf(masterArguments({ host: 'h' }, socket, true))).toContain(`controlpath ${socket}`);
  const forward = forwardArguments({ host: 'h' }, socket, '/tmp/a b%h%c/f', '127.0.0.1:80').filter(
    arg => !['-O', 'forward', '-F', 'none'].includes(arg),
  );
  expect(settingsOf(['-T', ...forward])).toEqual(
    expect.arrayContaining([`controlpath ${socket}`, 'localforward /tmp/a b%h%c/f [127.0.0.1]:80']),
  );
});

test.skipIf(!hasSsh).each([
  ['RemoteCommand tmux new -A -s main', undefined],
  ['RequestTTY force', 'requesttty false'],
  ['SessionType none', 'sessiontype default'],
  ['StdinNull yes', 'stdinnull no'],
  ['ForkAfterAuthentication yes', 'forkafterauthentication no'],
  ['PermitLocalCommand yes\nLocalCommand echo connected', 'permitlocalcommand no'],
  ['LocalForward 8080 localhost:8080', 'clearallforwardings yes'],
  ['Tunnel yes', 'tunnel false'],
  ['VisualHostKey yes', 'visualhostkey no'],
  ['LogLevel DEBUG3', 'loglevel ERROR'],
  ['LogLevel QUIET', 'loglevel ERROR'],
  ['BatchMode no', 'batchmode yes'],
  ['ControlMaster auto\nControlPath ~/.ssh/%r@%h-%p', 'controlmaster false'],
  ['ConnectTimeout 600', 'connecttimeout 10'],
  ['UseKeychain yes', 'ignoreunknown *'],
])('"%s" of the configuration does not change what a call does', (configuration, said) => {
  const settings = settingsOf(sshArguments({ host: 'h' }, ['-T'], 'none', 'true'), `Host *\n${configuration}\n`);
  if (said !== undefined) expect(settings).toContain(said);
  expect(settings.filter(line => /^(remotecommand|localforward)/.test(line) && !/none$/.test(line))).toEqual([]);
});
