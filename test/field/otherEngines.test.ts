import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { SwarmError } from '../../src/model/errors.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { resolveEndpoint, type SocketSources } from '../../src/providers/docker/dockerEndpoint.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { terminalOutput } from '../contract/terminalOutput.ts';
import { type Engine, startEngine } from '../engine/support/engine.ts';
import { guardedDocker } from '../engine/support/engineInstances.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { type Manners, openOtherDoor } from '../engine/support/otherDoor.ts';
import { type SshServer, startSshServer } from '../engine/support/sshServer.ts';
import { describeWithOwnEngine } from '../engine/support/testEngine.ts';
import { type LoneProvider, loneProvider } from '../fakes/loneProvider.ts';
import { type FieldCase, fieldSuite } from './fieldSuite.ts';

/** What a person is told, in the place of a value. */
const toldBy = (failing: Promise<unknown>) =>
  failing.then(
    value => value,
    (error: unknown) => {
      if (!(error instanceof SwarmError)) throw error;
      const { code, message, hint } = error;
      return { code, message, hint };
    },
  );

const withMounts = <T extends { HostConfig: object }>(body: T, Mounts: unknown): T => ({
  ...body,
  HostConfig: { ...body.HostConfig, Mounts },
});

describeWithOwnEngine('engines that answer in another way', () => {
  const swarmId = testSwarmId();
  let engine: Engine;
  let folder: string;
  let image: string;
  let id: string;
  const open: LoneProvider[] = [];

  async function provided(endpoint: string): Promise<LoneProvider> {
    const provider = loneProvider(await guardedDocker('docker', { endpoint, image }));
    open.push(provider);
    return provider;
  }

  beforeAll(async () => {
    engine = await startEngine({ name: 'other' });
    folder = await mkdtemp(path.join(tmpdir(), 'remote-swarm-doors-'));
    image = await ensureTestImage(engine.docker, 'stub');
    const provider = await provided(engine.host);
    ({ id } = await provider.createInstance(newSpec(swarmId)));
    await provider.executeCommand(id, 'echo kept > file');
  });
  afterAll(async () => {
    for (const provider of open) await provider.dispose();
    await engine?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  let doors = 0;
  /** What comes of it through a door with these manners. */
  async function through<T>(manners: Manners, use: (provider: LoneProvider, asked: readonly string[]) => Promise<T>) {
    const door = await openOtherDoor(engine.socket, path.join(folder, `door-${doors++}`), manners);
    try {
      return await use(await provided(door.host), door.asked);
    } finally {
      await door.close();
    }
  }
  const homeOf = async (provider: LoneProvider) => {
    const home = await provider.abilities.openHome?.(id, 'list', quietContext);
    const parts: Uint8Array[] = [];
    try {
      for await (const part of home?.output ?? []) parts.push(part);
      await home?.done;
    } finally {
      await home?.end();
    }
    return Buffer.concat(parts).toString().includes('"workspace/file"');
  };

  fieldSuite('engines that answer in another way', [
    {
      input: 'an inspect without HostConfig.Mounts',
      report: 'containers/podman#12734',
      right: true,
      found: () =>
        through({ answers: (_, body) => (body.HostConfig ? withMounts(body, undefined) : body) }, provider =>
          homeOf(provider),
        ),
    },
    {
      input: 'a mount that the engine drops',
      report: 'containers/podman#24878',
      right: {
        code: 'home-task-failed',
        message: expect.stringContaining('the engine did not mount its volume'),
        hint: expect.any(String),
      },
      found: () =>
        through(
          { asks: (asked, body) => (asked.includes('remote-swarm-home') ? withMounts(body, []) : body) },
          provider => toldBy(homeOf(provider)),
        ),
    },
    {
      input: 'a resize that answers 201',
      report: 'docker/for-win#10719',
      right: true,
      found: () =>
        through({ status: (asked, status) => (asked.includes('/resize') ? 201 : status) }, async provider => {
          const terminal = await provider.abilities.terminal?.(id);
          return terminal && (await terminalOutput(terminal, 'cat file; exit\n')).includes('kept');
        }),
    },
    {
      input: 'the disk use of API 1.53',
      report: 'podman-desktop/podman-desktop#19168',
      right: true,
      found: () => {
        const answers: Manners['answers'] = (asked, body) =>
          asked.includes('/system/df') ? { VolumeUsage: { TotalCount: 1, Items: body.Volumes } } : body;
        return through({ answers }, async provider => ((await provider.abilities.homeBytes?.([id]))?.get(id) ?? 0) > 0);
      },
    },
    {
      input: 'a pull that fails in the words of Docker 29',
      report: 'docker/docker-py#3307',
      right: { code: 'image-not-found', message: expect.stringContaining('not found'), hint: expect.any(String) },
      found: () => {
        const message =
          'failed to resolve reference "docker.io/library/nothing:1": docker.io/library/nothing:1: not found';
        const instead: Manners['instead'] = asked =>
          asked.includes('/images/create') ? `${JSON.stringify({ errorDetail: { message } })}\n` : undefined;
        return through({ instead }, provider =>
          toldBy(provider.createInstance(newSpec(swarmId, { image: 'nothing:1' }))),
        );
      },
    },
    {
      input: 'an engine whose oldest API is 1.44',
      report: 'chabad360/cockpit-docker#16',
      right: { status: 'running', versions: ['1.44'] },
      found: () =>
        through(
          {
            oldest: '1.44',
            answers: (asked, body) =>
              asked.startsWith('GET /version') ? { ...body, ApiVersion: '1.52', MinAPIVersion: '1.44' } : body,
          },
          async (provider, asked) => {
            const { status, id: made } = await provider.createInstance(newSpec(swarmId));
            await provider.deleteInstance(made);
            const versions = asked.flatMap(each => /^\w+ \/v([\d.]+)/.exec(each)?.[1] ?? []);
            return { status, versions: [...new Set(versions)] };
          },
        ),
    },
    {
      input: 'an engine that is updated to Docker 29 while it is in use',
      report: 'itzg/mc-router#484',
      right: ['running', 'running'],
      found: () => {
        let isUpdated = false;
        const manners: Manners = {
          get oldest() {
            return isUpdated ? '1.44' : '1.24';
          },
          answers: (asked, body) =>
            isUpdated && asked.startsWith('GET /version')
              ? { ...body, ApiVersion: '1.52', MinAPIVersion: '1.44' }
              : body,
        };
        return through(manners, async provider => {
          const before = (await provider.getInstance(id))?.status;
          isUpdated = true;
          return [before, (await provider.getInstance(id))?.status];
        });
      },
    },
    {
      input: 'an engine whose first answer takes three seconds',
      report: 'microsoft/vscode-docker#2015',
      right: 'running',
      found: () =>
        through({ firstAfter: 3_000 }, async provider => {
          await provider.initialize();
          return (await provider.getInstance(id))?.status;
        }),
    },
  ]);
});

describeWithOwnEngine('engines that are elsewhere', () => {
  const swarmId = testSwarmId();
  /** Ports of the host's sshd, by what it is configured for. */
  const ports = { forbids: 22_031, outsider: 22_032, ownSocket: 22_033, bare: 22_034 };
  const searchPath = process.env.PATH;
  const open: LoneProvider[] = [];
  let engine: Engine;
  let ssh: SshServer;
  let image: string;

  async function provided(endpoint: string): Promise<LoneProvider> {
    const provider = loneProvider(await guardedDocker('docker', { endpoint, image }));
    open.push(provider);
    return provider;
  }
  /** The message with what is the same in each run. */
  const at = (port: number, socket = engine.socket) => `ssh://root@${engine.address}:${port}${socket}`;
  const reached = async (endpoint: string) => {
    const provider = await provided(endpoint);
    const told = await toldBy(provider.initialize().then(() => provider.abilities.observe()));
    return JSON.parse(
      JSON.stringify(told).replaceAll(engine.address, 'far').replaceAll(engine.socket, '/run/docker.sock'),
    );
  };

  beforeAll(async () => {
    engine = await startEngine({ name: 'away', netns: true });
    image = await ensureTestImage(engine.docker, 'stub');
    const run = (how: string) => `ForceCommand ${how} /bin/sh -c "$SSH_ORIGINAL_COMMAND"`;
    ssh = await startSshServer(engine, {
      [ports.forbids]: ['DisableForwarding yes'],
      [ports.outsider]: [run('setpriv --reuid=65534 --regid=65534 --clear-groups')],
      [ports.ownSocket]: [run(`env DOCKER_HOST=unix://${engine.socket}`)],
      [ports.bare]: [run('env PATH=/nonexistent')],
    });
    process.env.PATH = `${ssh.path}:${searchPath}`;
  });
  afterAll(async () => {
    for (const provider of open) await provider.dispose();
    process.env.PATH = searchPath;
    await ssh?.stop();
    await engine?.stop();
  });

  fieldSuite('engines that are elsewhere', [
    {
      input: 'a socket that is mounted here, of an engine whose ports are not',
      report: 'microsoft/vscode-remote-release#4858',
      right: { status: 'running', soon: true, page: 403, probed: true },
      found: async () => {
        const provider = await provided(engine.host);
        const began = performance.now();
        const { id, status, port } = await provider.createInstance(newSpec(swarmId));
        const soon = performance.now() - began < 30_000;
        const endpoint = await provider.abilities.connect(id);
        const { status: page } = await fetch(`http://127.0.0.1:${endpoint.port}/`);
        // Another window has only seen the list.
        const other = await provided(engine.host);
        const { answered: probed } = await other.abilities.probe(id, port, quietContext);
        await provider.deleteInstance(id);
        return { status, soon, page, probed };
      },
    },
    {
      input: 'a host that forbids every forwarding',
      report: 'DockStation/dockstation#111',
      right: [],
      found: () => reached(at(ports.forbids)),
    },
    {
      input: 'a socket at another place, which docker knows there',
      report: 'microsoft/vscode-remote-release#7354',
      right: [],
      found: () => reached(at(ports.ownSocket, '')),
    },
    {
      input: 'a user outside of the group',
      report: 'moby/moby#39841',
      right: {
        code: 'engine-permission',
        message: expect.stringMatching(/^root@far may not use the Docker engine there: .*permission denied\.$/),
        hint: 'On far, add the user to the engine\'s group ("sudo usermod -aG docker root"), and sign in anew. A rootless engine\'s socket is named in the "endpoint", as ssh://root@far:22032/run/user/1000/docker.sock.',
      },
      found: () => reached(at(ports.outsider)),
    },
    {
      input: 'no engine at the usual place',
      report: 'docker/docker-install#260',
      right: {
        code: 'provider-unreachable',
        message: expect.stringContaining('no Docker engine listens on far at /run/user/1000/docker.sock: '),
        hint: 'Start it there ("sudo systemctl start docker"). A rootless engine\'s socket is named in the "endpoint", as ssh://root@far:22031/run/user/1000/docker.sock.',
      },
      found: () => reached(at(ports.forbids, '/run/user/1000/docker.sock')),
    },
    {
      input: 'a host on whose path there is no docker',
      report: 'docker/cli#2115',
      right: {
        code: 'docker-command-missing',
        message: expect.stringMatching(/^far has no "docker" command for root, .*: .*not found\.$/),
        hint: 'Install Docker\'s command line there, so that "ssh root@far docker version" answers.',
      },
      found: () => reached(at(ports.bare)),
    },
  ]);
});

const found = (world: Partial<SocketSources> & { sockets?: readonly string[] }): FieldCase['found'] => {
  const { sockets = [], ...rest } = world;
  const sources = {
    ...{ env: {}, platform: 'darwin' as const, homeDirectory: '/Users/me', uid: 501, readFile: async () => undefined },
    lookFor: async (socket: string) => (sockets.includes(socket) ? ('usable' as const) : ('absent' as const)),
    ...rest,
  };
  return () => toldBy(resolveEndpoint({ id: 'docker' }, sources));
};
const socketAt = (place: string) => ({ kind: 'socket', path: place });

fieldSuite('engines that nobody configured', [
  {
    input: 'Colima, whose socket is in the home only',
    report: 'abiosoft/colima#142',
    right: socketAt('/Users/me/.colima/default/docker.sock'),
    found: found({ sockets: ['/Users/me/.colima/default/docker.sock'] }),
  },
  {
    input: 'Docker Desktop without its link in /var/run',
    report: 'NVIDIA/NemoClaw#137',
    right: socketAt('/Users/me/.docker/run/docker.sock'),
    found: found({ sockets: ['/Users/me/.docker/run/docker.sock'] }),
  },
  {
    input: 'rootless Docker',
    report: 'microsoft/vscode-docker#3257',
    right: socketAt('/run/user/1000/docker.sock'),
    found: found({ platform: 'linux', uid: 1000, sockets: ['/run/user/1000/docker.sock'] }),
  },
  {
    input: 'a context file full of zeros, as a Docker Desktop left it',
    report: 'microsoft/vscode-docker#3627',
    right: {
      code: 'unknown-context',
      message: 'There is no Docker context "desktop-linux" for the provider "docker".',
      hint: 'Run "docker context ls" to see the names, or set the provider\'s "endpoint".',
    },
    found: found({
      readFile: async file =>
        file.endsWith('config.json')
          ? '{"currentContext":"desktop-linux"}'
          : file.endsWith('meta.json')
            ? '\0\0'
            : undefined,
    }),
  },
]);
