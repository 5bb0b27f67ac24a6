import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SwarmError } from '../../../../src/model/errors.ts';
import { dialArguments } from '../../../../src/providers/docker/dialStdio.ts';
import { DockerProviderConfig } from '../../../../src/providers/docker/dockerConfig.ts';
import { parseEndpoint, resolveEndpoint } from '../../../../src/providers/docker/dockerEndpoint.ts';

const sha = (name: string) => createHash('sha256').update(name).digest('hex');
const contextFile = (name: string) => `/home/u/.docker/contexts/meta/${sha(name)}/meta.json`;
const contextText = (host: string) => JSON.stringify({ Name: 'x', Endpoints: { docker: { Host: host } } });

interface World {
  env?: Record<string, string>;
  files?: Record<string, string>;
  platform?: NodeJS.Platform;
  /** Sockets that there are; those of others can't be used. */
  sockets?: readonly string[];
  forbidden?: readonly string[];
}
const resolve = (
  settings: object,
  { env = {}, files = {}, platform = 'linux', sockets = [], forbidden = [] }: World = {},
) =>
  resolveEndpoint(
    { id: 'docker', ...settings },
    {
      ...{ env, platform, homeDirectory: '/home/u', uid: 1000, readFile: async file => files[file] },
      lookFor: async file => (sockets.includes(file) ? 'usable' : forbidden.includes(file) ? 'forbidden' : 'absent'),
    },
  );
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: SwarmError) => error.code,
  );

describe('the engine is found', () => {
  const pem = (folder: string) => ({
    [`${folder}/ca.pem`]: 'CA',
    [`${folder}/cert.pem`]: 'CERT',
    [`${folder}/key.pem`]: 'KEY',
  });
  const tls = { ca: 'CA', cert: 'CERT', key: 'KEY' };

  test('in the settings before all else', async () => {
    const env = { DOCKER_HOST: 'unix:///other.sock', DOCKER_CONTEXT: 'other' };
    expect(await resolve({ endpoint: 'unix:///my.sock' }, { env })).toEqual({ kind: 'socket', path: '/my.sock' });
  });

  test('in a named context, with its certificates', async () => {
    const folder = `/home/u/.docker/contexts/tls/${sha('far')}/docker`;
    const files = { [contextFile('far')]: contextText('tcp://far.example:2376'), ...pem(folder) };
    const env = { DOCKER_HOST: 'unix:///other.sock' };
    const expected = { kind: 'tcp', host: 'far.example', port: 2376, tls };
    expect(await resolve({ context: 'far' }, { env, files })).toEqual(expected);
    expect(await codeOf(resolve({ context: 'absent' }, { files }))).toBe('unknown-context');
  });

  test('in DOCKER_HOST, with DOCKER_CERT_PATH when DOCKER_TLS_VERIFY says so', async () => {
    expect(await resolve({}, { env: { DOCKER_HOST: 'unix:///h.sock' } })).toEqual({ kind: 'socket', path: '/h.sock' });
    const env = { DOCKER_HOST: 'tcp://10.0.0.1:2376', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/certs' };
    const found = await resolve({}, { env, files: pem('/certs') });
    expect(found).toEqual({ kind: 'tcp', host: '10.0.0.1', port: 2376, tls });
    expect(await codeOf(resolve({}, { env }))).toBe('tls-file-missing');
  });

  test('in the current context', async () => {
    const files = {
      '/home/u/.docker/config.json': JSON.stringify({ currentContext: 'rootless' }),
      [contextFile('rootless')]: contextText('unix:///run/user/1000/docker.sock'),
    };
    const expected = { kind: 'socket', path: '/run/user/1000/docker.sock' };
    expect(await resolve({}, { files })).toEqual(expected);
    expect(
      await resolve({}, { files: { [contextFile('c')]: contextText('unix:///c.sock') }, env: { DOCKER_CONTEXT: 'c' } }),
    ).toEqual({ kind: 'socket', path: '/c.sock' });
  });

  test("at the platform's own place, also when Docker's config is torn", async () => {
    const files = { '/home/u/.docker/config.json': '{"currentCon' };
    expect(await resolve({}, { files })).toEqual({ kind: 'socket', path: '/var/run/docker.sock' });
    expect(await resolve({}, { platform: 'win32' })).toEqual({ kind: 'socket', path: '//./pipe/docker_engine' });
  });

  test.each<[string, World, string]>([
    ['rootless Docker', { env: { XDG_RUNTIME_DIR: '/run/user/1000' } }, '/run/user/1000/docker.sock'],
    ['rootless Docker, without a session', {}, '/run/user/1000/docker.sock'],
    ['Docker Desktop', { platform: 'darwin' }, '/home/u/.docker/run/docker.sock'],
    ['Docker Desktop', { platform: 'linux' }, '/home/u/.docker/desktop/docker.sock'],
    ['Docker Desktop', { platform: 'win32' }, '//./pipe/dockerDesktopLinuxEngine'],
    ['OrbStack', { platform: 'darwin' }, '/home/u/.orbstack/run/docker.sock'],
    ['Colima', { platform: 'darwin' }, '/home/u/.colima/default/docker.sock'],
    ['Colima in a folder of its own', { platform: 'linux', env: { COLIMA_HOME: '/c' } }, '/c/default/docker.sock'],
    ['Rancher Desktop', { platform: 'darwin' }, '/home/u/.rd/docker.sock'],
    ['Podman', { platform: 'linux' }, '/run/user/1000/podman/podman.sock'],
    ['Podman of root', { platform: 'linux' }, '/run/podman/podman.sock'],
    ['Podman', { platform: 'darwin', env: { TMPDIR: '/t/' } }, '/t/podman/podman-machine-default-api.sock'],
    ['Podman', { platform: 'win32' }, '//./pipe/podman-machine-default'],
  ])('at the usual place of %s', async (_, world, socket) => {
    expect(await resolve({}, { ...world, sockets: [socket] })).toEqual({ kind: 'socket', path: socket });
    const beside = ['/var/run/docker.sock', '/run/user/1000/podman/podman.sock'];
    const found = await resolve({}, { ...world, sockets: [socket], forbidden: beside });
    expect(found, 'not one that may not be used').toEqual({ kind: 'socket', path: socket });
  });

  test('and one that may not be used is named when there is no other', async () => {
    const forbidden = ['/run/podman/podman.sock'];
    expect(await resolve({}, { forbidden })).toEqual({ kind: 'socket', path: '/run/podman/podman.sock' });
  });

  test('and refused when it would be plain TCP to another machine', async () => {
    expect(await codeOf(resolve({ endpoint: 'tcp://10.0.0.1:2375' }))).toBe('plain-tcp');
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      expect(await resolve({ endpoint: `tcp://${host}:2375` })).toMatchObject({ kind: 'tcp', port: 2375 });
    }
    for (const host of ['127.0.0.1.example.com', 'localhost.example', '128.0.0.1']) {
      expect(await codeOf(resolve({ endpoint: `tcp://${host}:2375` }))).toBe('plain-tcp');
    }
  });
});

describe('an address', () => {
  test('of a remote engine has user, port and socket', () => {
    expect(parseEndpoint('d', 'ssh://me@far.example:2222')).toEqual({
      ...{ kind: 'ssh', user: 'me', host: 'far.example', port: 2222 },
    });
    expect(parseEndpoint('d', 'ssh://far/run/user/1/docker.sock')).toEqual({
      ...{ kind: 'ssh', host: 'far', socket: '/run/user/1/docker.sock' },
    });
  });

  test.each([
    'ssh://-oProxyCommand=evil',
    'ssh://-l@host',
    'ssh://me:secret-word@host',
    'http://x',
    'unix://x',
    'unix:///run/../docker.sock',
    'unix:///run/docker\u0000.sock',
    'ssh://a%',
    'ssh://far/%',
    'ssh://far/%00',
    'tcp://',
    'nonsense',
  ])('%s is refused, and no password shown', address => {
    try {
      parseEndpoint('d', address);
      expect.fail('was accepted');
    } catch (error) {
      expect(error).toBeInstanceOf(SwarmError);
      expect((error as SwarmError).code).toBe('invalid-endpoint');
      expect((error as SwarmError).message).not.toContain('secret-word');
    }
  });

  test('never makes an argument of ssh that could be taken for an option', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        let endpoint: ReturnType<typeof parseEndpoint>;
        try {
          endpoint = parseEndpoint('d', `ssh://${text}`);
        } catch (error) {
          expect(error).toBeInstanceOf(SwarmError);
          return;
        }
        if (endpoint.kind !== 'ssh') return expect.fail('another kind');
        const { socket, ...target } = endpoint;
        const args = dialArguments({ target, socket }, '/tmp/x.sock');
        expect(args.at(-3)).toBe('--');
        expect(args.at(-2)).toMatch(/^[^-\s][^\s]*$/);
        expect(args.slice(0, -3).filter(arg => arg.startsWith('-') && !/^-[ToLp]$/.test(arg))).toEqual([]);
      }),
    );
  });
});

test('settings that contradict themselves are refused', () => {
  const parse = (settings: object) => DockerProviderConfig.safeParse({ id: 'd', type: 'docker', ...settings }).success;
  expect(parse({})).toBe(true);
  expect(parse({ endpoint: 'unix:///x', context: 'y' })).toBe(false);
  expect(parse({ endpoint: 'http://x' })).toBe(false);
  expect(parse({ tls: { ca: 'relative', cert: '/c', key: '/k' } })).toBe(false);
  expect(parse({ unknown: 1 })).toBe(false);
});
