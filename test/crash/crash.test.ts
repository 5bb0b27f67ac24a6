import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ProviderConfig } from '../../src/model/config.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { loadSwarmId } from '../../src/storage/swarmIdentity.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { describeWithEngine, testEngine } from '../engine/support/testEngine.ts';
import { EngineWorld } from '../engine/support/world.ts';

const root = path.resolve(import.meta.dirname, '..', '..');

/** Where the instances of a suite live, and what that place itself says is there, whatever a registry says. */
interface Place {
  readonly provider: ProviderConfig;
  /** Everything that one instance has there, its id left out: as long as it is wanted, and in the trash. */
  readonly wanted: readonly string[];
  readonly trashed: readonly string[];
  /** Names with their ids left out, and how many editor servers run. */
  look(): Promise<{ names: string[]; servers: number }>;
  /** Removes what is no instance's. */
  clear(): Promise<void>;
}

interface Ended {
  signal: NodeJS.Signals | null;
  rows: { id: string; status: string; desired: string }[];
  /** Connections whose answer nobody had read when its controller was disposed of. */
  leftOpen: number;
}

/** Nor what a container's name tells of whose it is. */
const withoutId = (name: string) => name.replace(/[a-z0-9]{12}(?=$|--)/, 'id').replace(/--\d+-\d+-[a-z0-9]{16}$/, '');

function localPlace(directory: string): Place {
  const instances = path.join(directory, 'instances');
  const isServer = (file: string) => {
    try {
      const argv = readFileSync(file, 'utf8').split('\0');
      return argv.includes('serve') && argv.some(argument => argument.startsWith(instances));
    } catch {
      return false; // It has ended meanwhile.
    }
  };
  return {
    provider: { id: 'place', type: 'local', directory: instances },
    wanted: ['id--owner'],
    trashed: ['id--trash'],
    look: async () => ({
      names: (existsSync(instances) ? readdirSync(instances) : []).map(withoutId),
      servers: globSync('/proc/[0-9]*/cmdline').filter(isServer).length,
    }),
    clear: async () => {},
  };
}

async function dockerPlace(directory: string): Promise<Place> {
  const { docker, host } = await testEngine();
  const image = await ensureTestImage(docker, 'stub');
  const filters = async () => {
    const { swarmId } = await loadSwarmId(path.join(directory, 'state'));
    return { label: [`remote-swarm.swarm=${swarmId}`] };
  };
  return {
    provider: { id: 'place', type: 'docker', endpoint: host, image, runtimeImage: image },
    wanted: ['/remote-swarm-id--owner', 'remote-swarm-id'],
    trashed: ['/remote-swarm-id--trash', 'remote-swarm-id'],
    look: async () => {
      const containers = await docker.listContainers({ all: true, filters: await filters() });
      const { Volumes } = await docker.listVolumes({ filters: await filters() });
      return {
        names: [...containers.map(({ Names }) => Names[0] ?? ''), ...(Volumes ?? []).map(({ Name }) => Name)].map(
          withoutId,
        ),
        servers: containers.filter(({ State }) => State === 'running').length,
      };
    },
    clear: async () => new EngineWorld(docker).removeSwarm((await loadSwarmId(path.join(directory, 'state'))).swarmId),
  };
}

const nothing = { rows: [], names: [], servers: 0 };

/** Boundaries at which a window is killed: in the long form (REMOTE_SWARM_SOAK=1) each, in the short one every third. */
const step = process.env.REMOTE_SWARM_SOAK === '1' ? 1 : 3;

/** `first`: the boundary to begin with, so that in the short form two places share them. */
function crashSuite(placeAt: (directory: string) => Promise<Place>, first: 1 | 2): void {
  let directory: string;
  let place: Place;

  /** One window's life: what it printed, or the signal that ended it. */
  async function window(killAt: number, act: string, id = ''): Promise<Ended> {
    const file = path.join(root, 'test', 'crash', 'window.ts');
    const args = [file, directory, JSON.stringify(place.provider), String(killAt), act, id];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.on('data', data => {
      output += data;
    });
    child.stderr.on('data', data => {
      errors += data;
    });
    const ended = await new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        if (code !== 0 && signal === null) reject(new Error(`The window ended with ${code}: ${errors}`));
        else resolve({ signal, rows: [], leftOpen: 0, ...JSON.parse(output || '{}') });
      });
    });
    expect({ act, leftOpen: ended.leftOpen }).toEqual({ act, leftOpen: 0 });
    return ended;
  }

  /** A killed window's locks are free when they were not renewed for five seconds: makes that so. */
  function letLocksAge(): void {
    const longAgo = Date.now() / 1000 - 6;
    for (const lock of globSync(path.join(directory, 'state', '**', '*.lock'))) utimesSync(lock, longAgo, longAgo);
  }

  async function removeAll(): Promise<void> {
    letLocksAge();
    for (const { id } of (await window(0, 'settle')).rows) await window(0, 'purge', id);
    expect({ rows: [], ...(await place.look()) }).toEqual(nothing);
    await place.clear();
    for (const name of readdirSync(directory)) rmSync(path.join(directory, name), { recursive: true });
  }

  beforeEach(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'crash-'));
    place = await placeAt(directory);
  });
  afterEach(async () => {
    await removeAll();
    rmSync(directory, { recursive: true, force: true });
  });

  test.each(['create', 'delete', 'purge'])(
    '%s: registry and place agree, nothing is doubled',
    async act => {
      const wanted = { rows: ['running'], names: place.wanted, servers: 1 };
      const finished = { create: wanted, delete: { rows: ['trashed'], names: place.trashed, servers: 0 } }[act];
      const existing = async () => (act === 'create' ? '' : ((await window(0, 'create')).rows[0]?.id ?? ''));
      const untouched = act === 'create' ? nothing : wanted;
      let killAt = step === 1 ? 1 : first;
      let intended = false;
      // Until the act comes to its end: how often a call reports is its own affair.
      for (; ; killAt += step) {
        const { signal } = await window(killAt, act, await existing());
        if (signal === null) break;
        expect(signal).toBe('SIGKILL');
        letLocksAge();
        const rows = (await window(0, 'settle')).rows.map(({ status }) => status);
        const found = { rows, ...(await place.look()) };
        // Killed before its intention was written, the act was never asked for; after that, it is finished.
        intended ||= !isDeepStrictEqual(found, untouched);
        expect({ killAt, ...found }).toEqual({ killAt, ...(intended ? (finished ?? nothing) : untouched) });
        await removeAll();
      }
      expect(intended).toBe(true);
      expect(killAt).toBeGreaterThan(5);
      const which = step === 1 ? 'each' : 'every third';
      console.log(`${place.provider.type}: ${act}: killed at ${which} of ${killAt - 1} boundaries`);
    },
    600_000,
  );
}

describe.runIf(process.platform === 'linux')('kill -9 at every boundary, then a restart: on this machine', () => {
  crashSuite(async directory => {
    await installEditorServer(path.join(root, '.runtime', 'editor-server'), quietContext);
    return localPlace(directory);
  }, 1);
});

describeWithEngine('kill -9 at every boundary, then a restart: on a Docker engine', () => {
  crashSuite(dockerPlace, 2);
});
