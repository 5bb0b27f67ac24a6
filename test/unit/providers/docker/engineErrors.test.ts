import { describe, expect, test } from 'vitest';
import { providerRefused } from '../../../../src/model/errors.ts';
import { engineStatus, translateEngineError } from '../../../../src/providers/docker/engineErrors.ts';
import { sshProblem } from '../../../../src/providers/sshProblem.ts';

const failure = { providerId: 'docker', address: '/var/run/docker.sock', doing: 'Starting the container' };
const translate = (error: unknown) => translateEngineError(error, failure);
const withCode = (code: string, message = code) => Object.assign(new Error(message), { code });
const answer = (statusCode: number, message: string) =>
  Object.assign(new Error(`(HTTP code ${statusCode}) server error - ${message} `), { statusCode });

describe('what went wrong with an engine is told with the way out', () => {
  test.each([
    [withCode('EACCES'), 'engine-permission', 'usermod -aG docker'],
    [withCode('ENOENT'), 'provider-unreachable', 'Start Docker'],
    [withCode('ECONNREFUSED'), 'provider-unreachable', 'Start Docker'],
    [withCode('ENOTFOUND'), 'provider-unreachable', 'host name'],
    [withCode('ECONNRESET', 'socket hang up'), 'provider-unreachable', 'Try again'],
    [new Error('aborted'), 'provider-unreachable', 'Try again'],
    [withCode('HPE_INVALID_CONSTANT'), 'provider-unreachable', 'endpoint'],
    [withCode('ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE'), 'engine-tls', 'cert'],
    [withCode('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'engine-tls', 'ca'],
    [withCode('ERR_TLS_CERT_ALTNAME_INVALID'), 'engine-tls', 'ca'],
    [withCode('EPROTO', 'ssl3_get_record:wrong version number'), 'engine-tls', 'Remove "tls"'],
    [answer(400, 'Client sent an HTTP request to an HTTPS server.'), 'engine-tls', 'Set "tls"'],
    [answer(500, 'write /x: no space left on device'), 'disk-full', 'docker system df'],
    [
      answer(500, 'driver failed: listen tcp4 127.0.0.1:1: bind: address already in use'),
      'port-taken',
      'Start it again',
    ],
    [answer(404, 'manifest for a/b:c not found: manifest unknown'), 'image-not-found', 'docker pull'],
    [answer(404, 'no matching manifest for linux/arm64/v8 in the manifest list entries'), 'image-unfit', 'processor'],
    [answer(404, 'no match for platform in manifest: not found'), 'image-unfit', 'processor'],
    [answer(400, 'image operating system "windows" cannot be used on this platform'), 'image-unfit', 'for Linux'],
    [answer(404, 'pull access denied for x, repository does not exist'), 'image-not-found', 'docker login'],
    [answer(500, 'Head "http://r/v2/a/manifests/b": no basic auth credentials'), 'image-not-found', 'docker login'],
    [answer(500, 'Head "https://r/v2/a/manifests/b": unauthorized'), 'image-not-found', 'docker login'],
    [answer(500, 'error from registry: denied'), 'image-not-found', 'docker login'],
    [
      answer(500, 'Get "https://r/v2/": dial tcp: lookup r on 1.1.1.1:53: no such host'),
      'registry-unreachable',
      'docker load',
    ],
    [answer(500, 'could not find an available, non-overlapping IPv4 address pool'), 'no-network', 'network prune'],
    [answer(500, 'something else'), 'engine-refused', 'log of that engine'],
    ['not even an error', 'engine-refused', 'log of that engine'],
  ])('%s', (error, code, hint) => {
    const translated = translate(error);
    expect([translated.code, translated.hint]).toEqual([code, expect.stringContaining(hint)]);
    expect(translated.cause).toBe(error);
    expect(translated.message).not.toContain('HTTP code');
    expect(translated.retryable).toBe(code === 'provider-unreachable');
  });

  test('what is worded already stays as it is', () => {
    const own = providerRefused('x', 'y', 'z');
    expect(translate(own)).toBe(own);
  });

  test("the engine's status can be asked for, before and after", () => {
    expect(engineStatus(answer(409, 'in use'))).toBe(409);
    expect(engineStatus(translate(answer(409, 'in use')))).toBe(409);
    expect(engineStatus(withCode('ENOENT'))).toBeUndefined();
    expect(engineStatus(undefined)).toBeUndefined();
  });
});

test.each([
  ['Host key verification failed.', 'ssh-host-key'],
  ['@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.', 'ssh-host-key-changed'],
  ['me@far: Permission denied (publickey).', 'ssh-permission'],
  ['spawn ssh ENOENT', 'ssh-missing'],
  ['ssh: Could not resolve hostname far: Name or service not known', 'provider-unreachable'],
])('ssh that says "%s" is told with the way out', (said, code) => {
  const error = sshProblem('docker', { host: 'far' }, said);
  expect(error.code).toBe(code);
  expect(error.hint).toBeTruthy();
});

test('what to do is what the system has on which it is done', () => {
  const hints = (code: string) =>
    (['linux', 'darwin', 'win32'] as const).map(
      platform => translateEngineError(Object.assign(new Error(code), { code }), failure, platform).hint,
    );
  const [linux, darwin, win32] = hints('EACCES');
  expect(linux).toContain('usermod');
  expect(darwin).not.toContain('usermod');
  expect(win32).toContain('docker-users');
  const [start, ...elsewhere] = hints('ECONNREFUSED');
  expect(start).toContain('systemctl');
  for (const hint of elsewhere) expect(hint).toMatch(/^Start Docker Desktop/);
});
