import { mkdtemp, readdir, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { KilledWorld, quick, settled } from './killedWorld.ts';
import { makeFilesMortal } from './mortalLife.ts';
import { type Scene, scenes } from './scenes.ts';

/** From its moment of death on the clock is another one, by up to so many milliseconds. */
const mostOff = 40 * 86_400_000;

let scratch: string;

afterEach(() => void vi.restoreAllMocks());

/** One life of the act: how it ended, what its changes were, and what a process that came after it made of that. */
async function killedAt(scene: Scene, diesAt: number) {
  const world = await KilledWorld.make(scratch);
  const off = Math.round((Math.random() * 2 - 1) * mostOff);
  try {
    const told = await scene.prepare(world);
    await world.endAll();
    const window = await world.open(diesAt, scene.swarm);
    const end = await window.life.act(() => scene.act(window, told, world));
    await world.endAll();
    const { now } = Date;
    vi.spyOn(Date, 'now').mockImplementation(() => now() + off);
    const next = scene.reopen ? await scene.reopen(world) : await world.open(0, scene.swarm);
    await settled(next);
    const outcome = await scene.outcome(next, told, world);
    expect(world.mostRunning).toBeLessThanOrEqual(1);
    // Each home in the archive is in the list, and the other way round.
    const listed = next.controller.snapshots.listSnapshots().map(({ id }) => id);
    expect(listed.toSorted()).toEqual([...world.kept.keys()].toSorted());
    // Every record is one that can be read.
    for (const folder of ['instances', 'migrations', 'snapshots']) {
      const files = await readdir(`${next.directory}/${folder}`).catch(() => []);
      expect(files.filter(name => !/^([a-z0-9]+\.json|locks)$/.test(name))).toEqual([]);
    }
    return { end, outcome, changes: window.life.changes };
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n').slice(0, 12).join(' ') : String(error);
    throw new Error(`the clock ${off} ms off: ${why}`, { cause: error });
  } finally {
    vi.restoreAllMocks();
    await world.remove();
  }
}

describe('a process that is killed before each change that it makes leaves a whole world', () => {
  const rows: string[] = [];

  beforeAll(async () => {
    scratch = await mkdtemp(path.join(quick, `remote-swarm-kills-${process.pid}-`));
    makeFilesMortal();
  });
  afterAll(async () => {
    console.log(['operation | boundary | came to', ...rows].join('\n'));
    await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
  });

  test.each(scenes)(
    '$name',
    async scene => {
      const { changes, outcome, end } = await killedAt(scene, 0);
      expect(end).toBe('done');
      const faults: string[] = [];
      const row = (boundary: string, cameTo: string) => rows.push(`${scene.name} | ${boundary} | ${cameTo}`);
      for (let diesAt = 1; diesAt <= changes.length; diesAt++) {
        const boundary = `${diesAt}, before "${withoutIds(changes[diesAt - 1])}"`;
        try {
          const life = await killedAt(scene, diesAt);
          // One life writes what was observed once more than another, as its timers come.
          if (life.changes.length >= diesAt) expect(life.end).toBe('died');
          row(boundary, life.outcome);
        } catch (error) {
          faults.push(`${boundary}: ${error instanceof Error ? error.message : String(error)}`);
          row(boundary, 'FAULT');
        }
      }
      row('none', outcome);
      expect(faults).toEqual([]);
    },
    120_000,
  );
});

const withoutIds = (change = '') => change.replace(/[a-z0-9]{12}(?=\.)/g, '…').replace(/[0-9a-f-]{36}/g, '…');
