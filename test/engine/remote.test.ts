import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import * as path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { terminalOutput } from '../contract/terminalOutput.ts';
import { makeCertificates } from './support/certificates.ts';
import { dockerProvider, failureOf } from './support/dockerProviders.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { ensureTestImage } from './support/images.ts';
import { type SshServer, startSshServer } from './support/sshServer.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';
import { EngineWorld } from './support/world.ts';

const node = '/usr/lib/code-server/lib/node';

describeWithOwnEngine('an engine on another host', () => {
  const swarmId = testSwarmId();
  const providers: DockerProvider[] = [];
  let engine: Engine;
  let world: EngineWorld;
  let image: string;
  let stub: string;
  const connected = (settings: Parameters<typeof dockerProvider>[0]) => {
    const provider = dockerProvider({ image, ...settings });
    providers.push(provider);
    return provider;
  };

  beforeAll(async () => {
    engine = await startEngine({ name: 'far', tls: true, netns: true });
    world = new EngineWorld(engine.docker);
    [image, stub] = [await ensureTestImage(engine.docker, 'codeServer'), await ensureTestImage(engine.docker, 'stub')];
  });

  afterEach(async () => {
    for (const provider of providers.splice(0)) await provider.dispose();
    await world.removeSwarm(swarmId);
  });

  afterAll(async () => {
    await engine?.stop();
  });

  /** Opens the instance's editor as a browser does, and works in the instance. */
  async function useEditor(provider: DockerProvider): Promise<void> {
    await provider.initialize();
    expect(await provider.abilities.freeBytes()).toBeUndefined();
    const { id, port } = await provider.createInstance(newSpec(swarmId, { env: { WHO: 'me' } }));
    const { bavail, bsize } = statfsSync(path.join(engine.root, 'data'));
    expect((await provider.abilities.freeBytes()) ?? 0).toBeCloseTo(bavail * bsize, -9);
    expect(port).toBeUndefined();
    const { HostConfig } = await engine.docker.getContainer(`remote-swarm-${id}--owner`).inspect();
    expect(HostConfig.PortBindings ?? {}).toEqual({});
    const endpoint = await provider.abilities.connect(id);
    const url = `http://127.0.0.1:${endpoint.port}`;
    expect((await fetch(url)).status).toBe(403);
    const welcome = await fetch(`${url}/?tkn=${await provider.abilities.readToken(id)}`, { redirect: 'manual' });
    expect(welcome.status).toBe(302);
    const cookie = welcome.headers
      .getSetCookie()
      .map(each => each.split(';')[0])
      .join('; ');
    const page = await (await fetch(url, { headers: { cookie } })).text();
    expect(page).toContain('workbench');
    const asset = /(?:src|href)="([^"]*workbench[^"]*\.(?:js|css))"/.exec(page)?.[1] ?? '';
    const file = await fetch(new URL(asset, url), { headers: { cookie } });
    expect(file.status).toBe(200);
    expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(100_000);

    expect(await provider.executeCommand(id, 'echo "$WHO"; exit 3')).toMatchObject({ exitCode: 3, stdout: 'me\n' });
    const { terminal } = provider.abilities;
    expect(await terminalOutput(await terminal.call(provider.abilities, id), 'echo "<$WHO>"; exit\n')).toContain(
      '<me>',
    );
    endpoint.dispose();
    await vi.waitFor(async () =>
      expect(
        await fetch(url).then(
          () => 'up',
          () => 'down',
        ),
      ).toBe('down'),
    );
    expect(await provider.stopInstance(id)).toMatchObject({ status: 'stopped' });
    expect(await provider.deleteInstance(id)).toBe(true);
  }

  describe('over TLS', () => {
    const endpoint = () => engine.tcp?.endpoint ?? '';
    const tls = () => engine.tcp?.tls ?? { ca: '', cert: '', key: '' };

    test('an editor is opened through a tunnel, and the instance used', async () => {
      await useEditor(connected({ endpoint: endpoint(), tls: tls() }));
    });

    test('the address may come from DOCKER_HOST with its certificates', async () => {
      vi.stubEnv('DOCKER_HOST', endpoint());
      vi.stubEnv('DOCKER_TLS_VERIFY', '1');
      vi.stubEnv('DOCKER_CERT_PATH', path.dirname(tls().ca));
      try {
        // Docker looks for cert.pem and key.pem, which are named otherwise here.
        expect((await failureOf(connected({}).initialize())).code).toBe('tls-file-missing');
        await connected({ tls: tls() }).initialize();
        await connected({ endpoint: engine.host }).initialize();
      } finally {
        vi.unstubAllEnvs();
      }
    });

    test('wrong certificates, none, and TLS where there is none, are told apart', async () => {
      const stranger = makeCertificates(path.join(engine.root, 'stranger'), engine.address);
      const wrong = { ca: tls().ca, cert: stranger.cert, key: stranger.key };
      const error = await failureOf(connected({ endpoint: endpoint(), tls: wrong }).initialize());
      expect(error).toMatchObject({
        code: 'engine-tls',
        message: expect.stringContaining('refused our certificate'),
      });
      const otherCa = { ...tls(), ca: stranger.ca };
      expect((await failureOf(connected({ endpoint: endpoint(), tls: otherCa }).initialize())).message).toContain(
        'not signed by our "ca"',
      );
      expect((await failureOf(connected({ endpoint: endpoint() }).initialize())).code).toBe('plain-tcp');
      const absent = { ...tls(), key: '/nonexistent/key.pem' };
      expect((await failureOf(connected({ endpoint: endpoint(), tls: absent }).initialize())).code).toBe(
        'tls-file-missing',
      );
      const plain = createServer((_, response) => response.end('{}'));
      await new Promise<void>(resolve => plain.listen(0, '127.0.0.1', resolve));
      const address = plain.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      const plainError = await failureOf(connected({ endpoint: `tcp://127.0.0.1:${port}`, tls: tls() }).initialize());
      expect(plainError.message).toContain('does not speak TLS');
      plain.close();
    });

    test('a tunnel carries any port, whole and in both directions, and many connections at once', async () => {
      const provider = connected({ endpoint: endpoint(), tls: tls(), image: stub });
      const { id } = await provider.createInstance(newSpec(swarmId));
      const echo = `require('http').createServer((q,s)=>{const h=require('crypto').createHash('sha256');q.on('data',d=>h.update(d)).on('end',()=>s.end(h.digest('hex')+Buffer.alloc(+q.headers.want,7)))}).listen(3000,'127.0.0.1')`;
      await provider.executeCommand(id, `nohup ${node} -e "${echo}" >/dev/null 2>&1 & echo`);
      await vi.waitFor(async () => expect(await provider.abilities.listPorts(id)).toEqual([3000]), 10_000);
      const { port } = await provider.abilities.connect(id, 3000);
      const body = Buffer.alloc(8_000_000, 'x');
      const digest = createHash('sha256').update(body).digest('hex');
      const ask = async (bytes: Buffer, want: number) =>
        (
          await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: bytes, headers: { want: String(want) } })
        ).text();
      const answer = await ask(body, 8_000_000);
      expect([answer.slice(0, 64), answer.length]).toEqual([digest, 8_000_064]);
      const short = await Promise.all(Array.from({ length: 8 }, () => ask(Buffer.from('x'), 1)));
      expect(new Set(short).size).toBe(1);
    });
  });

  describe('over ssh', () => {
    let ssh: SshServer;
    const searchPath = process.env.PATH;
    /** Of ours that lead there: the one that stays, and those that share it. */
    const children = (which = '') =>
      readdirSync('/proc')
        .filter(entry => /^\d+$/.test(entry))
        .flatMap(pid => {
          try {
            const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
            const leadsThere = line.includes('ssh\0') && line.includes(`root@${engine.address}`);
            return leadsThere && line.includes(which) ? [Number(pid)] : [];
          } catch {
            return [];
          }
        });

    beforeAll(async () => {
      ssh = await startSshServer(engine);
    });
    afterAll(async () => {
      process.env.PATH = searchPath;
      await ssh?.stop();
    });
    const withSsh = (folder: string) => {
      process.env.PATH = `${folder}:${searchPath}`;
      return connected({ endpoint: ssh.endpoint });
    };

    test('an editor is opened through one shared connection, which is closed with the provider', async () => {
      const lasting = 'ControlMaster=yes';
      const provider = withSsh(ssh.path);
      await useEditor(provider);
      expect(children(lasting)).toHaveLength(1);
      const [child = 0] = children(lasting);
      process.kill(child, 'SIGKILL');
      await vi.waitFor(() => expect(children()).toEqual([]), 10_000);
      await vi.waitFor(() => provider.abilities.observe(), 10_000);
      expect(children(lasting)).toHaveLength(1);
      await provider.dispose();
      expect(children()).toEqual([]);
    });

    test('an unknown host, a wrong key and a host that is not there are told apart', async () => {
      expect((await failureOf(withSsh(ssh.strangerPath).initialize())).code).toBe('ssh-host-key');
      expect((await failureOf(withSsh(ssh.keylessPath).initialize())).code).toBe('ssh-permission');
      process.env.PATH = `${ssh.path}:${searchPath}`;
      const nobody = connected({ endpoint: `ssh://root@${engine.address}:22023/run/docker.sock` });
      expect((await failureOf(nobody.initialize())).message).toContain('Connection refused');
      expect(children()).toEqual([]);
    });
  });

  describe('with several instances', () => {
    let outside: Server;
    let outsidePort = 0;
    const gateway = () => engine.address.replace(/\.2$/, '.1');

    beforeAll(async () => {
      outside = createServer((_, response) => response.end('outside'));
      await new Promise<void>(resolve => outside.listen(0, gateway(), resolve));
      const address = outside.address();
      outsidePort = typeof address === 'object' && address ? address.port : 0;
    });
    afterAll(() => {
      outside?.close();
    });

    test('one reaches the world, and neither the port, the home nor the token of another', async () => {
      const provider = connected({ endpoint: engine.host, image: stub });
      // The ports that this engine publishes are in its own namespace: the tunnel is what this test takes.
      const remote = connected({ endpoint: engine.tcp?.endpoint, tls: engine.tcp?.tls, image: stub });
      const [a, b] = [await remote.createInstance(newSpec(swarmId)), await remote.createInstance(newSpec(swarmId))];
      const addresses = await Promise.all(
        [a, b].map(async ({ id }) => {
          const { NetworkSettings } = await engine.docker.getContainer(`remote-swarm-${id}--owner`).inspect();
          return Object.values(NetworkSettings.Networks)[0] ?? expect.fail('no network');
        }),
      );
      const [ofA, ofB] = addresses;
      expect(ofA?.NetworkID, 'both are on the one network').toBe(ofB?.NetworkID);
      const reach = async (id: string, host: string, port: number) => {
        const program = `require('http').get({host:'${host}',port:${port},path:'/version',timeout:2500},r=>{console.log(r.statusCode);r.destroy()}).on('timeout',function(){console.log('timeout');process.exit()}).on('error',e=>console.log(e.code))`;
        return (await remote.executeCommand(id, `${node} -e "${program}"`)).stdout.trim();
      };
      expect(await reach(b.id, '127.0.0.1', 8080)).toBe('200');
      expect(await reach(b.id, ofB?.IPAddress ?? '', 8080)).toBe('200');
      expect(await reach(a.id, gateway(), outsidePort)).toBe('200');
      expect(await reach(a.id, ofB?.IPAddress ?? '', 8080)).toMatch(/^(timeout|ECONNREFUSED|EHOSTUNREACH)$/);
      expect(await reach(a.id, `remote-swarm-${b.id}--owner`, 8080)).not.toBe('200');

      const token = await remote.abilities.readToken(b.id);
      await remote.executeCommand(b.id, 'echo private-4711 > note');
      const search = 'grep -rlsE "private-4711|$0" / --include=note --include=token 2>/dev/null; true';
      const found = await remote.executeCommand(a.id, search.replace('$0', token));
      expect(found.stdout).toBe('');
      expect(await provider.getInstance(a.id)).toMatchObject({ status: 'running' });
    });
  });
});
