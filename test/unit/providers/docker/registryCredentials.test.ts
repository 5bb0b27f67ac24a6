import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SwarmError } from '../../../../src/model/errors.ts';
import { RegistryCredentials, registryOf } from '../../../../src/providers/docker/registryCredentials.ts';
import { alive } from '../../../engine/support/alive.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const hub = 'https://index.docker.io/v1/';
const { signal } = new AbortController();
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'remote-swarm-registry-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Of a person whose config.json holds that. */
function credentials(config: unknown): RegistryCredentials {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  const file = path.join(directory, 'config.json');
  return new RegistryCredentials('engine', {
    env: { DOCKER_CONFIG: directory, PATH: `${directory}:${process.env.PATH}` },
    homeDirectory: '/nonexistent',
    platform: 'linux',
    readFile: async asked => (asked === file ? text : undefined),
  });
}

function helper(name: string, script: string): void {
  const file = path.join(directory, `docker-credential-${name}`);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

test.each([
  ['debian', hub],
  ['library/debian:12', hub],
  ['docker.io/team/app', hub],
  ['team/app@sha256:0', hub],
  ['localhost/app', 'localhost'],
  ['ghcr.io/team/app:v1', 'ghcr.io'],
  ['127.0.0.1:5000/team/app', '127.0.0.1:5000'],
  ['ghcr.io.evil.example/team/app', 'ghcr.io.evil.example'],
])('the registry of %s is %s', (reference, registry) => expect(registryOf(reference)).toBe(registry));

describe('the credentials', () => {
  const auths = {
    'ghcr.io': { auth: base64('ann:s3cret:with colon') },
    'https://old.example/v1/': { auth: base64('old:pw') },
    [hub]: { auth: base64('hub:pw') },
    'token.example': { identitytoken: 'idt' },
    'empty.example': {},
  };

  test.each([
    ['ghcr.io/a', { username: 'ann', password: 's3cret:with colon', serveraddress: 'ghcr.io' }],
    ['old.example/a', { username: 'old', password: 'pw', serveraddress: 'old.example' }],
    ['debian', { username: 'hub', password: 'pw', serveraddress: hub }],
    ['token.example/a', { identitytoken: 'idt', serveraddress: 'token.example' }],
    ['empty.example/a', undefined],
    ['ghcr.io.evil.example/a', undefined],
    ['ghcr.io:8443/a', undefined],
  ])('of %s are of its own registry only', async (reference, expected) =>
    expect(await credentials({ auths }).of(reference, signal)).toEqual(expected),
  );

  test.each(['', '{', '[]', '{"auths": 7}'])('of a file that says %j are none', async text =>
    expect(await credentials(text).of('ghcr.io/a', signal)).toBeUndefined(),
  );

  test('come from the helper of the registry, else from the store, which get it on their standard input', async () => {
    const asked = path.join(directory, 'asked');
    helper('one', `cat > "${asked}"; echo '{"ServerURL":"x","Username":"ann","Secret":"pw"}'`);
    helper('two', `echo '{"ServerURL":"x","Username":"<token>","Secret":"idt"}'`);
    const both = credentials({ auths, credHelpers: { 'ghcr.io': 'one' }, credsStore: 'two' });
    expect(await both.of('ghcr.io/a', signal)).toEqual({ username: 'ann', password: 'pw', serveraddress: 'ghcr.io' });
    expect(readFileSync(asked, 'utf8')).toBe('ghcr.io');
    expect(await both.of('debian', signal)).toEqual({ identitytoken: 'idt', serveraddress: hub });
  });

  test('that a helper does not have are none', async () => {
    helper('one', 'echo "credentials not found in native keychain"; exit 1');
    expect(await credentials({ credsStore: 'one' }).of('ghcr.io/a', signal)).toBeUndefined();
  });

  test.each([
    ['fails', 'echo s3cret; exit 1'],
    ['says something else', 'echo s3cret'],
    ['is not there', undefined],
  ])('of a helper that %s are an error that tells no secret', async (_how, script) => {
    if (script !== undefined) helper('one', script);
    const error = await credentials({ credsStore: 'one' })
      .of('ghcr.io/a', signal)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'credentials-unavailable' });
    expect(`${(error as SwarmError).message}${(error as SwarmError).hint}`).not.toContain('s3cret');
  });

  test('are not asked of what is no name of a helper', async () => {
    for (const credsStore of ['../one', '-x', 'a b', ''])
      expect(
        await credentials({ credsStore })
          .of('ghcr.io/a', signal)
          .catch((error: unknown) => error),
      ).toBeInstanceOf(SwarmError);
  });

  test('of a helper that hangs are given up with the call', async () => {
    const pids = path.join(directory, 'pids');
    helper('one', `sleep 60 & echo $$ $! > "${pids}"; wait`);
    const stop = new AbortController();
    const asking = credentials({ credsStore: 'one' }).of('ghcr.io/a', stop.signal);
    asking.catch(() => {});
    const started = await vi.waitUntil(() => existsSync(pids) && readFileSync(pids, 'utf8').trim());
    stop.abort(new DOMException('Cancelled.', 'AbortError'));
    await expect(asking).rejects.toThrow('Cancelled.');
    for (const pid of started.split(' ')) await vi.waitUntil(() => !alive(Number(pid)), 5_000);
  });
});
