import { globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import * as path from 'node:path';
import type { Engine } from './engine.ts';
import { EngineWorld } from './world.ts';

/** How a copy of an instance is at a place. */
export type Copy = 'owner' | 'parked' | 'trash';

/**
 * What disk, process table and engines have in all, and what it is to be; by no code of ours. Nobody else may use the
 * places. An id of 12 letters and digits is told as `id`.
 */
export class OutsideWitness {
  readonly #folder: string;
  readonly #engines: ReadonlyMap<string, Engine>;

  /** `folder` holds `local` and `state`. */
  constructor(folder: string, engines: ReadonlyMap<string, Engine>) {
    this.#folder = folder;
    this.#engines = engines;
  }

  /** All that there is, sorted. */
  async everything(): Promise<string[]> {
    const engines = await Promise.all([...this.#engines].map(([name, engine]) => everythingOn(name, engine)));
    return [...engines.flat(), ...this.#folders(), ...this.#processes(), ...this.#strayFiles()].sort();
  }

  /** All that there is to be of one instance that runs, with its copies by place. */
  static expected(copies: Readonly<Record<string, Copy>>): string[] {
    return Object.entries(copies)
      .flatMap(([place, copy]) =>
        place === 'local'
          ? [`local folder id--${copy}`, ...(copy === 'owner' ? [`local server`] : [])]
          : [
              `${place} container remote-swarm-id--${copy} ${copy === 'owner' ? 'running' : 'exited'}`,
              `${place} network`,
              `${place} volume remote-swarm-id`,
            ],
      )
      .sort();
  }

  /** What its editor server says to whoever asks for its version. */
  async answer(place: string, id: string): Promise<string> {
    const port = place === 'local' ? this.#localPort(id) : await this.#publishedPort(place, id);
    return (await fetch(`http://127.0.0.1:${port}/version`, { signal: AbortSignal.timeout(5_000) })).text();
  }

  /** The folder of its home, whatever its role there. */
  homeOn(place: string, id: string): string {
    const engine = this.#engines.get(place);
    if (engine) return path.join(engine.root, 'data/volumes', `remote-swarm-${id}`, '_data/home');
    const name = readdirSync(this.#local).find(each => each.startsWith(id));
    return path.join(this.#local, name ?? '', 'home');
  }

  /** What the state directory holds of it. */
  record(kind: 'instances' | 'migrations', id: string): Record<string, unknown> {
    return JSON.parse(readFileSync(path.join(this.#folder, 'state', kind, `${id}.json`), 'utf8'));
  }

  get #local(): string {
    return path.join(this.#folder, 'local');
  }

  #folders(): string[] {
    return readdirSync(this.#local).map(name => `local folder ${withoutId(name)}`);
  }

  /** Of whatever has to do with the local instances; of a server, and what it started, only that it is one. */
  #processes(): string[] {
    const found = globSync('/proc/[0-9]*').filter(
      folder =>
        Number(path.basename(folder)) !== process.pid &&
        (textOf(`${folder}/cmdline`).includes(this.#local) ||
          textOf(`${folder}/environ`).includes(`${this.#local}/`) ||
          linkOf(`${folder}/cwd`).startsWith(this.#local)),
    );
    const names = found.map(folder => {
      const argv = textOf(`${folder}/cmdline`).split('\0').filter(Boolean);
      return argv.includes('serve') ? 'server' : `process ${argv.map(word => path.basename(word)).join(' ')}`;
    });
    return names.map(name => `local ${name}`);
  }

  /** Files beside the records, as a write that was cut off leaves them. */
  #strayFiles(): string[] {
    return ['instances', 'migrations']
      .flatMap(kind => globSync(`${kind}/*`, { cwd: path.join(this.#folder, 'state') }))
      .filter(name => !/\/([a-z0-9]{12}\.json|locks)$/.test(name))
      .map(name => `file ${withoutId(name)}`);
  }

  #localPort(id: string): number {
    return JSON.parse(readFileSync(path.join(this.#local, `${id}--owner`, 'reserved/process.json'), 'utf8')).port;
  }

  async #publishedPort(place: string, id: string): Promise<string | undefined> {
    const docker = this.#engines.get(place)?.docker;
    const container = docker && (await new EngineWorld(docker).container(id));
    const { NetworkSettings } = (await container?.inspect()) ?? { NetworkSettings: { Ports: {} } };
    return Object.values(NetworkSettings.Ports)[0]?.[0]?.HostPort;
  }
}

async function everythingOn(place: string, { docker }: Engine): Promise<string[]> {
  const [containers, { Volumes }, networks] = await Promise.all([
    docker.listContainers({ all: true }),
    docker.listVolumes(),
    docker.listNetworks(),
  ]);
  return [
    ...containers
      .filter(isNoDeadHelper)
      .map(({ Names, State }) => `container ${withoutId(Names[0]?.slice(1) ?? '')} ${State}`),
    ...(Volumes ?? []).map(({ Name }) => `volume ${withoutId(Name)}`),
    ...networks.filter(({ Name }) => Name.startsWith('remote-swarm')).map(() => 'network'),
  ].map(what => `${place} ${what}`);
}

/** What an engine was killed over while it removed it; the next sweep removes it. */
const isNoDeadHelper = ({ State, Labels }: { State: string; Labels: Record<string, string> }) =>
  !(State === 'dead' && Labels['remote-swarm.check']);

/** Nor what a container's name tells of whose it is. */
const withoutId = (name: string) =>
  name.replace(/(?<=^|-|\/)[a-z0-9]{12}(?=$|--)/, 'id').replace(/--\d+-\d+-[a-z0-9]{16}$/, '');

function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // It has ended meanwhile.
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
