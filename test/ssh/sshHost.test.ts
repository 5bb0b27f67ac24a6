import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notHere } from '../fakes/notHere.ts';
import { hostLimits, type SshHost, sshHostProblem, startSshHost } from './support/sshHost.ts';

const problem = sshHostProblem();
const ssh = (bin: string, ...args: string[]) =>
  spawnSync(path.join(bin, 'ssh'), ['-o', 'BatchMode=yes', '-o', 'ConnectTimeout=3', ...args], { encoding: 'utf8' });

describe.skipIf(problem !== undefined)(notHere('hosts of the tests', problem), () => {
  let one: SshHost;
  let other: SshHost;
  beforeAll(async () => {
    [one, other] = [await startSshHost('one'), await startSshHost('two')];
  });
  afterAll(async () => {
    await one?.stop();
    await other?.stop();
    expect(existsSync(one.home)).toBe(false);
  });

  test('one is reached by its own key only, and has files and processes of its own', () => {
    expect(ssh(one.path, one.name, 'echo hi; echo there > ~/file').stdout).toBe('hi\n');
    expect(readFileSync(path.join(one.home, 'file'), 'utf8')).toBe('there\n');
    expect(ssh(other.path, other.name, 'ls').stdout).toBe('');
    expect(ssh(other.path, '-o', `HostName=${one.address}`, other.name, 'true').status).toBe(255);
    const seen = ssh(one.path, one.name, 'cat /proc/[0-9]*/cmdline').stdout;
    expect(seen).not.toContain('vitest');
  });

  test.skipIf(hostLimits !== undefined)(notHere('a port of one is not a port of the other', hostLimits), () => {
    const listen = [
      ...['use IO::Socket::INET;', 'my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:7000", Listen => 5);'],
      'while (my $socket = $server->accept) { print $socket "one"; close $socket }',
    ];
    writeFileSync(path.join(one.home, 'listen.pl'), listen.join('\n'));
    // Neither this checkout nor its node need be in a place that a host shows.
    one.run('sh', '-c', 'perl ~/listen.pl >/dev/null 2>&1 &');
    const ask = `exec 3<>/dev/tcp/127.0.0.1/7000 && cat <&3`;
    const asked = (host: SshHost) => ssh(host.path, host.name, `bash -c '${ask}'`);
    let answer = asked(one);
    for (let tries = 0; answer.stdout !== 'one' && tries < 50; tries++) answer = asked(one);
    expect(answer.stdout).toBe('one');
    expect(asked(other).stdout).toBe('');
  });

  test('it can be cut off, lose its sshd, and start anew with nothing running', async () => {
    one.cut();
    expect(ssh(one.path, one.name, 'true').status).toBe(255);
    one.mend();
    expect(ssh(one.path, one.name, 'true').status).toBe(0);
    await one.killSshd();
    expect(ssh(one.path, one.name, 'true').stderr).toContain('refused');
    await one.startSshd();
    one.run('sh', '-c', 'sleep 4711 >/dev/null 2>&1 &');
    const sleepers = () => execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "; true']);
    expect(sleepers().toString()).toContain('sleep 4711');
    await one.reboot();
    expect(sleepers().toString()).not.toContain('sleep 4711');
    expect(ssh(one.path, one.name, 'cat file').stdout).toBe('there\n');
  });

  test.each([
    ['a stranger', (host: SshHost) => host.strangerPath, 'Host key verification failed'],
    ['one who knows another key', (host: SshHost) => host.changedPath, 'IDENTIFICATION HAS CHANGED'],
    ['one without the key', (host: SshHost) => host.keylessPath, 'Permission denied'],
  ])('%s is not let in', (_, pathOf, said) => {
    expect(ssh(pathOf(one), one.name, 'true').stderr).toContain(said);
  });
});
