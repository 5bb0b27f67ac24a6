import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { HostSetup } from '../../../../src/providers/ssh/hostSetup.ts';
import { HostShell } from '../../../../src/providers/ssh/hostShell.ts';
import { SshProvider } from '../../../../src/providers/ssh/sshProvider.ts';
import { newSpec, testSwarmId } from '../../../contract/specs.ts';
import { testMachine } from '../../../fakes/testMachine.ts';

/** In the place of `ssh`: its host is this machine, whose start files print, and its links lead nowhere. */
const fakeSsh = `#!${process.execPath}
const { spawn } = require('node:child_process');
const args = process.argv.slice(2);
if (args.includes('-O')) setTimeout(() => {}, 500);
else if (args.at(-1) === 'cat') {
  require('node:fs').appendFileSync(process.env.FAKE_SSH_LINKS, process.pid + '\\n');
  require('node:net').createServer().listen(args.findLast(arg => /^ControlPath=/.test(arg)).slice(13, -1));
} else {
  process.stderr.write('bash: warning: setlocale: LC_ALL: cannot change locale (xx_XX.UTF-8)\\n');
  process.stdout.write('welcome');
  process.stdout.write(' to the host\\n', () =>
    spawn('/bin/sh', ['-c', args.at(-1)], { stdio: 'inherit' }).on('exit', code => process.exit(code)));
}
`;

describe.skipIf(process.platform === 'win32')('a provider whose host is reached with ssh', () => {
  const { identity, secrets: _, ...config } = newSpec(testSwarmId());
  const instance = { ...identity, config, providerId: 'host', role: 'owner', status: 'running' };
  const answers = {
    hello: { cores: 1, memoryMb: 1, instances: '/no where/a#b?c' },
    ...{ get: instance, serverPort: 1, readToken: 'token' },
  };
  let folder: string;
  let provider: SshProvider;
  const links = () => readFileSync(path.join(folder, 'links'), 'utf8').trim().split('\n');

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-ssh-'));
    for (const name of ['bin', 'dist', 'media/instance']) mkdirSync(path.join(folder, name), { recursive: true });
    for (const name of ['dist/hostProgram.cjs', 'media/instance/launcher.mjs', 'media/instance/home.mjs', 'links'])
      writeFileSync(path.join(folder, name), '');
    writeFileSync(path.join(folder, 'dist/hostProgram.json'), '["hostProgram.cjs"]');
    writeFileSync(path.join(folder, 'bin', 'ssh'), fakeSsh);
    chmodSync(path.join(folder, 'bin', 'ssh'), 0o755);
    vi.stubEnv('PATH', `${path.join(folder, 'bin')}:${process.env.PATH}`);
    vi.stubEnv('FAKE_SSH_LINKS', path.join(folder, 'links'));
    provider = new SshProvider(
      { id: 'host', type: 'ssh', host: 'nowhere', directory: path.join(folder, 'host') },
      {
        ...{ localDirectory: '/nonexistent', editorServerDirectory: '/nonexistent' },
        launcher: path.join(folder, 'media/instance/launcher.mjs'),
        machine: testMachine,
        readSecret: async () => undefined,
      },
    );
    const [programs = ''] = /programs\/[a-f0-9]+/.exec(await provider.terminalCommand(identity.id)) ?? [];
    mkdirSync(path.join(folder, 'host', programs), { recursive: true });
    const run = path.join(folder, 'host', programs, 'run');
    writeFileSync(
      run,
      `#!${process.execPath}
if (process.argv[3] === 'home') {
  process.stdout.write(Buffer.from([0, 255, 10]));
  process.stderr.write('done\\n');
} else process.stdin.once('data', data => {
  const { call } = JSON.parse(String(data).split('\\n', 1)[0]);
  process.stdout.write(JSON.stringify({ result: ${JSON.stringify(answers)}[call] }) + '\\n', () => process.exit());
});`,
    );
    chmodSync(run, 0o755);
  });
  afterEach(async () => {
    await provider.dispose();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  test('what start files print is no part of a home, nor of what a script says', async () => {
    const home = await provider.abilities.openHome(identity.id, 'export');
    expect([...(await buffer(Readable.from(home.output)))]).toEqual([0, 255, 10]);
    await home.done;
    const shell = new HostShell(provider.connection, path.join(folder, 'host'));
    expect(await shell.run('pwd; echo two', [], quietContext)).toBe(`${path.join(folder, 'host')}\ntwo\n`);
    await expect(shell.run('echo no >&2; exit 3', [], quietContext)).rejects.toThrow(/^no$/);
  });

  test('programs that could not be read once are read again', async () => {
    const launcher = path.join(folder, 'media/instance/launcher.mjs');
    const { connection } = provider;
    const environment = {
      localDirectory: '',
      editorServerDirectory: '',
      launcher,
      machine: testMachine,
      readSecret: async () => undefined,
    };
    const setup = new HostSetup(connection, undefined, environment);
    renameSync(launcher, `${launcher}.away`);
    await expect(setup.command()).rejects.toThrow('ENOENT');
    renameSync(`${launcher}.away`, launcher);
    expect(await setup.command()).toMatch(/programs/);
  });

  test('the address for Remote-SSH names the folder, whatever is in its path', async () => {
    await provider.getInstance(identity.id);
    const { uri } = await provider.abilities.attachUri(identity.id);
    expect(decodeURIComponent(new URL(uri).pathname)).toBe(`/no where/a#b?c/${identity.id}--owner/home/workspace`);
  });

  test.each(['its caller', 'the provider'])('a connection that comes after %s has gone leaves no ssh', async gone => {
    const end = new AbortController();
    const connecting = provider.abilities
      .connect(identity.id, 1, { signal: end.signal, report: () => {} })
      .catch((error: unknown) => error);
    await vi.waitFor(() => expect(links()).toHaveLength(2), 10_000);
    const forward = Number(links()[1]);
    if (gone === 'its caller') end.abort();
    else await provider.dispose();
    expect(await connecting).toBeInstanceOf(Error);
    await vi.waitFor(() => expect(() => process.kill(forward, 0)).toThrow('ESRCH'), 5_000);
  });
});
