import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type Dockerode from 'dockerode';
import pLimit from 'p-limit';
import { randomId } from '../../src/core/instanceId.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { type ArchiveEntry, archiveOf, fileInArchive } from '../../src/providers/docker/archive.ts';
import { answers } from '../../src/providers/editorServer.ts';
import { type Engine, startEngine } from '../engine/support/engine.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import type { Figure } from './figure.ts';
import { median } from './figure.ts';
import { swarmOn } from './swarmOn.ts';

const count = 20;

/**
 * Instances a second through the controller, against a bare loop over the engine's API that makes identical containers
 * with the same volumes and files, and does nothing else: one engine, one run. Where they differ, it throws.
 */
export async function measureFleet(): Promise<Figure[]> {
  const engine = await startEngine({ name: 'bench' });
  try {
    const { docker } = engine;
    const image = await ensureTestImage(docker, 'stub');
    const { model, essence } = await throughController(engine, image);
    const bare = async (concurrency: number) => {
      const limit = pLimit(concurrency);
      const rate = await rateOf(() => limit(() => makeBare(docker, model)));
      await assertIdentical(docker, essence);
      await removeInstances(docker);
      return { concurrency, rate };
    };
    const tried = [];
    for (const concurrency of [2, 4, 8, 16]) tried.push(await bare(concurrency));
    const best = tried.reduce((one, other) => (other.rate > one.rate ? other : one));
    // Side by side, and again: a machine that is shared is not the same from one minute to the next.
    const pairs: { bare: number; own: number }[] = [];
    for (let pair = 0; pair < 5; pair++) {
      pairs.push({ bare: (await bare(best.concurrency)).rate, own: (await throughController(engine, image)).rate });
    }
    const middle = (of: (pair: (typeof pairs)[number]) => number) => median(pairs.map(of));
    const against = `a bare dockerode loop that makes the same, ${best.concurrency} at a time (the best of 2, 4, 8, 16); median of 5 pairs`;
    return [
      {
        name: 'create+start of 20, through the controller',
        value: middle(({ own }) => own),
        unit: '/s',
        better: 'higher',
      },
      { name: 'create+start of 20, bare', value: middle(pair => pair.bare), unit: '/s', better: 'higher' },
      {
        name: 'controller to bare',
        value: middle(pair => pair.own / pair.bare),
        unit: 'x',
        goal: 0.9,
        better: 'higher',
        against,
      },
    ];
  } finally {
    await engine.stop();
  }
}

/** How many of these come about in a second. */
async function rateOf(make: (index: number) => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await Promise.all(Array.from({ length: count }, (_, index) => make(index)));
  return count / ((performance.now() - began) / 1_000);
}

/** What one instance of the controller is made of: the same for another once its id is replaced. */
interface Model {
  readonly id: string;
  readonly container: Dockerode.ContainerInspectInfo;
  readonly volume: Pick<Dockerode.VolumeInspectInfo, 'Name' | 'Driver' | 'Labels'>;
  readonly files: Buffer;
  /** The files that it has of its own below `/etc`. */
  readonly accounts: ArchiveEntry[];
}

/** The same value for another instance. An id is 12 letters wherever it stands, so that lengths hold. */
const asAnother = <T>(value: T, from: string, to: string): T =>
  JSON.parse(JSON.stringify(value).replaceAll(from, to)) as T;

/** A container and a volume as the controller makes them, but for the id, up and answering on a known port. */
async function makeBare(docker: Dockerode, model: Model): Promise<void> {
  const id = randomId(model.id.length);
  const { Name, Config, HostConfig, Mounts } = asAnother(model.container, model.id, id);
  const { Hostname: _ownId, ...config } = Config;
  await docker.createVolume(asAnother(model.volume, model.id, id));
  const container = await docker.createContainer({ ...config, name: Name.slice(1), HostConfig });
  await container.putArchive(await archiveOf(model.accounts, { uid: 0, gid: 0 }), { path: '/' });
  const files = Buffer.from(model.files.toString('latin1').replaceAll(model.id, id), 'latin1');
  await container.putArchive(files, { path: Mounts[0]?.Destination ?? '' });
  await container.start();
  const { NetworkSettings } = await container.inspect();
  const port = Number(Object.values(NetworkSettings.Ports)[0]?.[0]?.HostPort);
  while (!(await answers('127.0.0.1', port, id, quietContext))) await sleep(20);
}

/** All of a container and its volume that is not its own by nature: its id, host name, port and times. */
async function essence(docker: Dockerode, { Id }: { Id: string }, id: string) {
  const { Name, Config, HostConfig, Mounts, NetworkSettings } = await docker.getContainer(Id).inspect();
  const accounts = await accountsOf(docker, { Id });
  const { Hostname: _ownId, ...config } = Config;
  const volume = await volumeOf(docker, Mounts[0]?.Name ?? '');
  const networks = Object.keys(NetworkSettings.Networks);
  return asAnother({ Name, config, HostConfig, Mounts, volume, networks, accounts }, id, 'the-instance');
}

/** Throws, with the difference, unless the bare loop has made just what the controller makes. */
async function assertIdentical(docker: Dockerode, expected: unknown): Promise<void> {
  const rows = await docker.listContainers({ all: true });
  for (const row of rows) {
    const id = /^\/remote-swarm-([a-z0-9]+)--owner$/.exec(row.Names[0] ?? '')?.[1] ?? '';
    deepStrictEqual(await essence(docker, row, id), expected);
  }
  strictEqual(rows.length, count);
}

async function volumeOf(docker: Dockerode, name: string): Promise<Model['volume']> {
  const { Name, Driver, Labels } = await docker.getVolume(name).inspect();
  return { Name, Driver, Labels };
}

/** What the controller has put into the volume of an instance before its first start, as a tar. */
async function filesOf(docker: Dockerode, { Id, Mounts }: Dockerode.ContainerInspectInfo): Promise<Buffer> {
  const folder = Mounts[0]?.Destination ?? '';
  const archive = (await docker.getContainer(Id).getArchive({ path: `${folder}/.` })) as NodeJS.ReadableStream;
  return buffer(archive);
}

async function accountsOf(docker: Dockerode, { Id }: { Id: string }): Promise<ArchiveEntry[]> {
  const entries = ['etc/passwd', 'etc/group'].map(async name => {
    const archive = await docker.getContainer(Id).getArchive({ path: `/${name}` });
    return { name, mode: 0o644, text: await fileInArchive(archive as Readable, quietContext.signal) };
  });
  return Promise.all(entries);
}

/** Leaves each round the same engine: without containers, and without the volumes of the round before. */
async function removeInstances(docker: Dockerode): Promise<void> {
  const rows = await docker.listContainers({ all: true });
  await Promise.all(rows.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
  const { Volumes } = await docker.listVolumes();
  await Promise.all(Volumes.map(({ Name }) => docker.getVolume(Name).remove()));
}

/** The rate of a swarm of its own, and what one of its instances is made of. */
async function throughController({ docker, host }: Engine, image: string) {
  const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  const core = await swarmOn(host, image, directory);
  try {
    const create = (name: string) => core.controller.createInstance({ name }, 'engine');
    const { id } = await create('warm up');
    const rate = await rateOf(index => create(`bench ${index}`));
    const container = await docker.getContainer(`remote-swarm-${id}--owner`).inspect();
    const volume = await volumeOf(docker, container.Mounts[0]?.Name ?? '');
    const [files, accounts] = [await filesOf(docker, container), await accountsOf(docker, container)];
    const model: Model = { id, container, volume, files, accounts };
    return { rate, model, essence: await essence(docker, container, id) };
  } finally {
    await core.dispose();
    await removeInstances(docker);
    await rm(directory, { recursive: true, force: true });
  }
}
