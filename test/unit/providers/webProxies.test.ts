import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { type AddressInfo, connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { containerProxies, dockerProxies } from '../../../src/providers/docker/dockerProxies.ts';
import { installEditorServer } from '../../../src/providers/editorServerInstaller.ts';
import { npmVariables, proxiesElsewhere, proxiesOf, trustedCertificates } from '../../../src/providers/webProxies.ts';

const web = { proxy: 'http://proxy.corp:3128', noProxy: ['.corp', 'localhost'], strictSsl: true };
const none = { proxy: '', noProxy: [], strictSsl: true };

test('the proxy of the editor’s settings counts before those of the environment', () => {
  expect(proxiesOf(web, { HTTPS_PROXY: 'http://other' })).toEqual({
    ...{ http: web.proxy, https: web.proxy, no: '.corp,localhost' },
  });
  expect(proxiesOf(none, { https_proxy: 'http://small', HTTPS_PROXY: 'http://large', NO_PROXY: 'a' })).toEqual({
    ...{ https: 'http://small', no: 'a' },
  });
  expect(proxiesOf(undefined, { HTTP_PROXY: '' })).toEqual({});
});

test('npm is told of it in both ways, and that certificates are not checked only where the editor does not either', () => {
  expect(npmVariables({ ...web, noProxy: [] }, {})).toEqual({
    ...{ HTTP_PROXY: web.proxy, http_proxy: web.proxy, HTTPS_PROXY: web.proxy, https_proxy: web.proxy },
  });
  expect(npmVariables({ ...none, strictSsl: false }, {})).toEqual({ npm_config_strict_ssl: 'false' });
  expect(npmVariables(none, {})).toEqual({});
});

test.each(['http://127.0.0.1:3128', 'localhost:8080', 'http://[::1]:1', 'http://127.8.9.1'])(
  'a proxy at %s is none for a container',
  proxy => expect(proxiesElsewhere({ http: proxy, https: proxy, no: 'x' })).toEqual({}),
);

describe('what a container is told of proxies', () => {
  const config = JSON.stringify({
    proxies: {
      default: { httpProxy: 'http://default:1', noProxy: 'internal' },
      'tcp://build:2376': { httpsProxy: 'http://build:1', allProxy: 'socks5://build:2' },
    },
  });
  const sources = (text: string | undefined, env = {}) => ({
    env,
    homeDirectory: '/home/me',
    readFile: async () => text,
  });

  test('is what docker run tells it, for that engine or for all', async () => {
    expect(await containerProxies(undefined, web, sources(config))).toEqual([
      ...['HTTP_PROXY=http://default:1', 'http_proxy=http://default:1', 'NO_PROXY=internal', 'no_proxy=internal'],
    ]);
    expect(await containerProxies('tcp://build:2376', undefined, sources(config))).toEqual([
      ...['HTTPS_PROXY=http://build:1', 'https_proxy=http://build:1'],
      ...['ALL_PROXY=socks5://build:2', 'all_proxy=socks5://build:2'],
    ]);
  });

  test('is that of the editor where docker has none, without what only this computer reaches', async () => {
    expect(await containerProxies(undefined, { ...web, noProxy: [] }, sources('{}'))).toContain(
      'NO_PROXY=localhost,127.0.0.1,::1',
    );
    expect(await containerProxies(undefined, none, sources(undefined, { http_proxy: 'http://localhost:1' }))).toEqual(
      [],
    );
  });

  test.each([undefined, '', '{', '5', '{"proxies":5}', '{"proxies":{"default":{"httpProxy":7}}}'])(
    'is nothing of a file that holds %j',
    text => expect(dockerProxies(text, undefined)).toBeUndefined(),
  );
});

describe('behind a proxy, with an authority of its own', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-proxy-'));
  const asked: string[] = [];
  const tunnels: string[] = [];
  let registry: Server;
  let proxy: http.Server;
  let authority = '';
  const portOf = (server: Server) => (server.address() as AddressInfo).port;

  beforeAll(async () => {
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Corporate');
    const name = 'subjectAltName=DNS:registry.corp.test';
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-subj', '/CN=registry.corp.test', '-addext', name];
    openssl('req', '-x509', ...key, '-keyout', 'key', '-out', 'cert', ...signed);
    const read = (file: string) => readFileSync(path.join(folder, file), 'utf8');
    authority = read('ca.pem');
    registry = https.createServer({ key: read('key'), cert: read('cert') }, ({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(404).end('{}');
    });
    // Nothing but this proxy knows the host.
    proxy = http.createServer().on('connect', ({ url = '' }, socket, head) => {
      tunnels.push(url);
      const there = connect(portOf(registry), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        there.write(head);
        socket.pipe(there).pipe(socket);
      });
      for (const end of [socket, there]) end.on('error', () => end.destroy());
    });
    for (const server of [registry, proxy]) await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => {
    for (const server of [registry, proxy]) server?.close();
    rmSync(folder, { recursive: true });
  });

  function behindTheProxy(): typeof web {
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy'])
      vi.stubEnv(name, undefined);
    // What this machine says of its own registry and certificates would win.
    for (const name of Object.keys(process.env)) if (name.startsWith('npm_config_')) vi.stubEnv(name, undefined);
    for (const level of ['user', 'global']) vi.stubEnv(`npm_config_${level}config`, path.join(folder, `no-${level}`));
    for (const name of ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR']) vi.stubEnv(name, undefined);
    vi.stubEnv('npm_config_registry', 'https://registry.corp.test/');
    vi.stubEnv('npm_config_fetch_retries', '0');
    vi.stubEnv('npm_config_cache', path.join(folder, 'cache'));
    return { proxy: `http://127.0.0.1:${portOf(proxy)}`, noProxy: [], strictSsl: true };
  }
  const install = (settings: typeof web) =>
    installEditorServer(path.join(folder, 'servers'), undefined, undefined, settings).catch(
      (error: Error) => error.message,
    );

  test('the editor server is downloaded through the proxy of the editor, from whom this computer trusts', async () => {
    const settings = behindTheProxy();
    expect(await install(settings)).toMatch(/SELF_SIGNED|UNABLE_TO|certificate/i);
    expect(tunnels).toContain('registry.corp.test:443');
    expect(asked).toEqual([]);
    vi.stubEnv('NODE_EXTRA_CA_CERTS', path.join(folder, 'ca.pem'));
    expect(await install(settings)).toMatch(/404/);
    expect(asked.length).toBeGreaterThan(0);
  }, 60_000);

  test('what the editor does not check is not checked', async () => {
    const settings = behindTheProxy();
    asked.length = 0;
    expect(await install({ ...settings, strictSsl: false })).toMatch(/404/);
    expect(asked.length).toBeGreaterThan(0);
  }, 60_000);

  test('certificates are those of the system and of the file that is named', async () => {
    const file = path.join(folder, 'ca.pem');
    expect(await trustedCertificates({ NODE_EXTRA_CA_CERTS: file }, () => ['of the system'])).toBe(
      `of the system\n${authority}`,
    );
    expect(await trustedCertificates({ NODE_EXTRA_CA_CERTS: '/nowhere' }, () => [])).toBe('');
    expect(await trustedCertificates({})).toMatch(/^(-----BEGIN CERTIFICATE|$)/);
  });
});
