import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { projectRoot } from '../../scripts/editorHost.ts';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import type { Provider } from '../../src/model/provider.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { ProviderFactory } from '../../src/providers/providerFactory.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { diskController } from '../crash/diskController.ts';
import { type Engine, startEngine } from '../engine/support/engine.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { type LoneProvider, loneContext, loneProvider } from '../fakes/loneProvider.ts';
import { testMachine } from '../fakes/testMachine.ts';
import type { Figure } from './figure.ts';
import { median } from './figure.ts';

export interface MigrationSizes {
  /** Of the home that is large. */
  readonly megabytes: number;
  /** Of the home that has many. */
  readonly files: number;
}

/** Homes that are filled anew for each. */
const pairsOfLarge = 3;
const pairsOfMany = 3;
const moves = 6;
const dirtyMegabytes = 50;
const megabyte = 1_000_000;
const filesInFolder = 100;

/** This machine and a real engine, whose homes lie on one disk. */
interface Places {
  readonly local: LoneProvider;
  readonly docker: LoneProvider;
  /** This machine again, with a directory of its own. */
  readonly back: LoneProvider;
  readonly engine: Engine;
  readonly image: string;
  readonly directory: string;
}

/**
 * Homes that go from this machine to an engine and back, against `tar | tar` between the same two places, in turn; then
 * whole migrations of the large home, which is written to just before its instance is stopped.
 */
export async function measureMigration({ megabytes, files }: MigrationSizes): Promise<Figure[]> {
  const engine = await startEngine({ name: 'move', onDisk: true });
  const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  try {
    const places = await openPlaces(engine, directory);
    const idle = megabytesOf('VmRSS');
    // From here on the peak counts.
    writeFileSync('/proc/self/clear_refs', '5');
    const fillLarge = (folder: string) => writeLarge(folder, megabytes);
    const large = await measureThroughput(places, `${megabytes} MB`, pairsOfLarge, fillLarge);
    const many = await measureThroughput(places, `${files} small files`, pairsOfMany, folder =>
      writeMany(folder, files),
    );
    const downtime = await measureDowntime(places, `${megabytes} MB`, fillLarge);
    const memory: Figure = {
      ...{ name: 'peak memory of the process over idle', value: megabytesOf('VmHWM') - idle, unit: 'MB' },
      ...{ goal: 100, better: 'lower', against: 'of this process, the bench included, while all of this was moved' },
    };
    return [...large, ...many, ...downtime, memory];
  } finally {
    await engine.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function openPlaces(engine: Engine, directory: string): Promise<Places> {
  const editorServerDirectory = path.join(projectRoot, '.runtime', 'editor-server');
  await installEditorServer(editorServerDirectory);
  const image = await ensureTestImage(engine.docker, 'stub');
  const environment = {
    ...{ localDirectory: directory, editorServerDirectory, machine: testMachine, readSecret: async () => undefined },
    launcher: path.join(projectRoot, 'media', 'instance', 'launcher.mjs'),
  };
  const here = (id: string) => ({ id, type: 'local', directory: path.join(directory, id) });
  const there = { id: 'docker', type: 'docker', endpoint: engine.host, image };
  const [local, docker, back] = await Promise.all([
    ProviderFactory.createProvider('local', here('local'), environment),
    ProviderFactory.createProvider('docker', there, environment),
    ProviderFactory.createProvider('local', here('back'), environment),
  ]);
  for (const provider of [local, docker, back]) await provider.initialize();
  return {
    ...{ local: loneProvider(local), docker: loneProvider(docker), back: loneProvider(back) },
    ...{ engine, image, directory },
  };
}

/** The folder of its instance on this machine, whichever the place; it holds the home and what is reserved beside it. */
function folderOf({ engine, directory }: Places, place: Provider, id: string): string {
  if (place.type === 'docker') return path.join(engine.root, 'data/volumes', `remote-swarm-${id}`, '_data');
  const folders = ['owner', 'incoming', 'parked'].map(role => path.join(directory, place.id, `${id}--${role}`));
  return folders.find(existsSync) ?? '';
}
const homeOf = (places: Places, place: Provider, id: string) => path.join(folderOf(places, place, id), 'home');

/** Nothing is removed before the end: a disk is long busy with many files that are gone. */
async function measureThroughput(
  places: Places,
  what: string,
  pairs: number,
  fill: (folder: string) => void,
): Promise<Figure[]> {
  const { local, docker, back } = places;
  const carrier = new StreamCarrier();
  const outward: Pair[] = [];
  const homeward: Pair[] = [];
  const looks: Pair[] = [];
  const sizes: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const spec = newSpec(testSwarmId());
    const { id } = spec.identity;
    await local.abilities.prepareIncoming(spec);
    const home = homeOf(places, local, id);
    fill(path.join(home, 'workspace'));
    const tarOut = await timeOf(() =>
      shell(`tar -C '${home}' -cf - . | ${inContainer(places, id, 'tar -C /home -xf -')}`),
    );
    const outFlush = flushTime();
    await docker.abilities.prepareIncoming(spec);
    const ownOut = await timeOf(async () => {
      sizes.push((await carrier.copy(local, docker, id, loneContext)).bytes / megabyte);
    });
    outward.push({ own: ownOut, bare: tarOut, flush: outFlush });
    const both = [local, docker];
    const ownLook = await timeOf(() => Promise.all(both.map(place => carrier.look(place, id, quietContext))));
    const sums = await timeOf(() => Promise.all(both.map(place => sum(homeOf(places, place, id)))));
    looks.push({ own: ownLook, bare: sums, flush: 0 });
    const folder = path.join(places.directory, `tar-${id}`);
    mkdirSync(folder);
    const tarBack = await timeOf(() =>
      shell(`${inContainer(places, id, 'tar -C /home -cf - .')} | tar -C '${folder}' -xf -`),
    );
    const backFlush = flushTime();
    await back.abilities.prepareIncoming(spec);
    const ownBack = await timeOf(() => carrier.copy(docker, back, id, loneContext));
    homeward.push({ own: ownBack, bare: tarBack, flush: backFlush });
  }
  const rate = (seconds: number) => `${(median(sizes) / seconds).toFixed(0)} MB/s`;
  const ratio = (direction: string, taken: readonly Pair[]): Figure => {
    const [own, bare] = middleOf(taken);
    const flush = median(taken.map(pair => pair.flush)).toFixed(1);
    const times = `${own.toFixed(1)} s to ${bare.toFixed(1)} s and ${flush} s until it is on the disk`;
    return {
      name: `${what} ${direction}, to tar | tar`,
      ...{ value: median(taken.map(pair => pair.bare / pair.own)), unit: 'x', goal: 0.8, better: 'higher' },
      against: `${rate(own)} to ${rate(bare)}, ${times}; median of ${pairs} pairs`,
    };
  };
  const [own, bare] = middleOf(looks);
  return [
    ratio('from here to Docker', outward),
    ratio('from Docker to here', homeward),
    {
      ...{ name: `${what}, both ends verified`, value: own, unit: 's', better: 'lower' },
      against: `sha256sum of both ends: ${bare.toFixed(1)} s; median of ${pairs} pairs`,
    },
  ];
}

/** From the stop at the source until it answers at the target, there and back again. */
async function measureDowntime(places: Places, what: string, fill: (folder: string) => void): Promise<Figure[]> {
  const { local, docker, directory } = places;
  const providers = new ProviderDirectory([local, docker]);
  const controller = await diskController(path.join(directory, 'state'), providers, undefined, {}, new StreamCarrier());
  await controller.initialize();
  try {
    const { id } = await controller.createInstance({ name: 'moving' }, 'local');
    fill(path.join(homeOf(places, local, id), 'workspace'));
    const downtimes: number[] = [];
    const whole: number[] = [];
    for (let move = 0; move < moves; move++) {
      const source = controller.getInstance(id).providerId === 'local' ? local : docker;
      const dirty = path.join(homeOf(places, source, id), 'workspace', '0');
      const target = source === local ? 'docker' : 'local';
      const { id: plan } = await controller.migrations.createMigrationPlan(id, target, 'create-then-stop');
      const report = (message: string) => {
        if (message === 'Stopping the instance') writeRandom(dirty, dirtyMegabytes);
      };
      const began = performance.now();
      const migration = await controller.migrations.startMigration(plan, { ...quietContext, report });
      if (migration.status !== 'completed') throw new Error(`It did not move: ${JSON.stringify(migration)}`);
      whole.push((performance.now() - began) / 1_000);
      downtimes.push((migration.downtimeMs ?? Number.NaN) / 1_000);
      await controller.migrations.cleanUp(plan);
    }
    await controller.purgeInstance(id);
    return [
      {
        ...{ name: `downtime of create-then-stop, ${what}`, value: Math.max(...downtimes), unit: 's', goal: 5 },
        ...{ better: 'lower' },
        against: `the slowest of ${moves}, there and back, ${dirtyMegabytes} MB written before each stop; median ${median(downtimes).toFixed(2)} s, of ${median(whole).toFixed(1)} s in all`,
      },
    ];
  } finally {
    await controller.dispose();
  }
}

/** Seconds. */
interface Pair {
  readonly own: number;
  readonly bare: number;
  /** What it takes to bring to the disk what the bare one wrote; its own time has that in it. */
  readonly flush: number;
}
const middleOf = (taken: readonly Pair[]) =>
  [median(taken.map(({ own }) => own)), median(taken.map(({ bare }) => bare))] as const;

/** The same way a move brings it there. */
function flushTime(): number {
  const began = performance.now();
  execFileSync('sync', ['-f', tmpdir()]);
  return (performance.now() - began) / 1_000;
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  // What others have written is not to be waited for in the middle.
  execFileSync('sync');
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1_000;
}

/** By anybody, in a volume of that name. */
const inContainer = ({ engine, image }: Places, volume: string, command: string) =>
  `docker -H ${engine.host} run --rm -i --network none --log-driver none -v tar-${volume}:/home ${image} ${command}`;

const sum = (home: string) => shell(`find '${home}' -type f -print0 | xargs -0 sha256sum >/dev/null`);

async function shell(command: string): Promise<void> {
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'inherit', 'inherit'] });
  const [exitCode] = await once(child, 'exit');
  if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}`);
}

function writeLarge(folder: string, megabytes: number): void {
  for (let left = megabytes, file = 0; left > 0; left -= dirtyMegabytes, file++) {
    writeRandom(path.join(folder, `${file}`), Math.min(left, dirtyMegabytes));
  }
}

/** By another process, since the memory of this one is measured. */
function writeRandom(file: string, megabytes: number): void {
  execFileSync('sh', ['-c', `head -c ${megabytes * megabyte} /dev/urandom > '${file}'`]);
}

/** 2 KB each in the middle, as sources are. */
function writeMany(folder: string, files: number): void {
  for (let file = 0; file < files; file++) {
    const inside = path.join(folder, `${Math.floor(file / filesInFolder)}`);
    if (file % filesInFolder === 0) mkdirSync(inside);
    writeFileSync(path.join(inside, `${file}`), randomBytes(file % 4_096));
  }
}

/** A size of this process's memory. */
function megabytesOf(which: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${which}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line?.[1]) / 1_000;
}
