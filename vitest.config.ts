import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import * as path from 'node:path';
import { defineConfig } from 'vitest/config';
import { oddFolder } from './test/oddMachine.ts';
import { stalledSource } from './test/stalls/stalledSource.ts';
import { mutants } from './test/unit/core/model/mutants.ts';

const mutant = mutants[process.env.REMOTE_SWARM_MUTANT ?? ''];

/** Breaks one rule in the source that is tested, where a mutant is named. */
const mutation = {
  name: 'mutation',
  enforce: 'pre' as const,
  transform: (code: string, id: string) =>
    mutant && id.endsWith(`/src/${mutant.file}`) ? code.replace(mutant.from, mutant.to) : undefined,
};

/** Tells the stall matrix of every point at which the source waits. */
const stalling = {
  name: 'stalling',
  enforce: 'pre' as const,
  transform: (code: string, id: string) => stalledSource(path.relative(import.meta.dirname, id), code),
};

const project = (
  name: string,
  include: string[],
  test: Record<string, unknown> = {},
  plugins: (typeof mutation)[] = [],
) => ({
  plugins: [mutation, ...plugins],
  test: { name, include, setupFiles: 'test/worker.ts', ...test },
});

/** Folders whose files are quick: each in a process of its own would take longer than its tests. */
const quick = /^test\/unit\/(model|operations|providers|storage|vscode|core\/health)\//;
/** What would meet the other files of a process: to put a module in the place of another, or to count timers. */
const selfish = /vi\.mock\(|vi\.getTimerCount\(/;
const unitTests = globSync('test/unit/**/*.test.ts', { cwd: import.meta.dirname });
const together = unitTests.filter(
  file => quick.test(file) && !selfish.test(readFileSync(path.join(import.meta.dirname, file), 'utf8')),
);
const alone = unitTests.filter(file => !together.includes(file));

// Vitest's own default leaves one core to its main process, and of two that is half.
const computing = { maxWorkers: Math.max(2, availableParallelism() - 1) };
/** Whether the long forms are run, of which some have files of their own. */
const isLong = process.env.REMOTE_SWARM_SOAK === '1';
/** Tests that need `dist/`: it is built before the first of them. */
const built = { globalSetup: 'test/builtExtension.ts' };
// Properties are tried on the disk, beside whatever else keeps the machine busy.
const unit = { ...computing, testTimeout: 30_000 };
/** Many files in few processes. */
const sharing = { ...unit, isolate: false, setupFiles: ['test/worker.ts', 'test/leavesAsFound.ts'] };
/** On a machine with odd folders, files that only their owner may read, and a foreign language and time. */
const odd = (zone: string) => ({
  // One of them works the disk for long, wherever that is.
  ...{ ...sharing, exclude: [...alone, 'test/unit/storage/jsonFileStore.test.ts'] },
  globalSetup: 'test/oddMachine.ts',
  setupFiles: ['test/oddWorker.ts', ...sharing.setupFiles],
  env: { TMPDIR: oddFolder, HOME: oddFolder, TZ: zone, LANG: 'tr_TR' },
});
/** Those of the unit tests that meet folders, texts and times. */
const oddly = (parts: string) => ['test/odd/*.test.ts', `test/unit/${parts}/**/*.test.ts`];
const patient = { testTimeout: 120_000, hookTimeout: 180_000 };
// What mostly waits for processes and engines runs three files at a time, also on two cores.
const waiting = { ...patient, maxWorkers: 3, sequence: { groupOrder: 1 } };
// A real editor keeps two cores busy by itself.
const busy = { ...patient, fileParallelism: false, sequence: { groupOrder: 2 } };
// Whoever is not root runs all of it as a user anyway. One suite after the other, each with a window of its own.
const ordinary = { ...busy, ...built, testTimeout: 600_000, sequence: { groupOrder: 3 } };
const isRoot = process.getuid?.() === 0;

export default defineConfig({
  test: {
    projects: [
      project('laws', ['test/*.test.ts'], computing),
      project('unit', together, sharing),
      project('unit-alone', alone, unit),
      project('odd-apia', oddly('{model,providers,storage,vscode}'), odd('Pacific/Apia')),
      project('odd-st-johns', oddly('{model,vscode,core/health}'), odd('America/St_Johns')),
      project('stalls', ['test/stalls/**/*.test.ts'], { ...computing, ...patient }, [stalling]),
      project('contract', ['test/contract/**/*.test.ts'], { ...waiting, ...built }),
      project('crash', ['test/crash/**/*.test.ts', ...(isLong ? ['test/crash/**/*.soak.ts'] : [])], waiting),
      project('ssh', ['test/ssh/**/*.test.ts'], { ...waiting, ...built }),
      project('fly', ['test/fly/**/*.test.ts'], { ...waiting, ...built }),
      project('field', ['test/field/**/*.test.ts'], { ...waiting, ...built }),
      project('engine', ['test/engine/**/*.test.ts'], waiting),
      project('workbench', ['test/workbench/**/*.test.ts'], { ...busy, ...built }),
      ...(isRoot ? [project('ordinary', ['test/ordinary/**/*.test.ts'], ordinary)] : []),
    ],
  },
});
