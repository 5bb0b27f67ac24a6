import { defineConfig } from 'vitest/config';
import { mutants } from './test/unit/core/model/mutants.ts';

const mutant = mutants[process.env.REMOTE_SWARM_MUTANT ?? ''];

/** Breaks one rule in the source that is tested, where a mutant is named. */
const mutation = {
  name: 'mutation',
  enforce: 'pre' as const,
  transform: (code: string, id: string) =>
    mutant && id.endsWith(`/src/${mutant.file}`) ? code.replace(mutant.from, mutant.to) : undefined,
};

const project = (name: string, include: string[], test: Record<string, unknown> = {}) => ({
  plugins: [mutation],
  test: { name, include, ...test },
});

// Projects that drive a real engine or a real editor run one file after the other: two cores are soon busy.
const heavy = { testTimeout: 120_000, hookTimeout: 180_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      project('laws', ['test/*.test.ts']),
      // Properties are tried on the disk, file after file, beside whatever else keeps the machine busy.
      project('unit', ['test/unit/**/*.test.ts'], { testTimeout: 30_000 }),
      project('contract', ['test/contract/**/*.test.ts'], heavy),
      project('crash', ['test/crash/**/*.test.ts'], heavy),
      project('ssh', ['test/ssh/**/*.test.ts'], heavy),
      project('engine', ['test/engine/**/*.test.ts'], heavy),
      project('workbench', ['test/workbench/**/*.test.ts'], heavy),
    ],
  },
});
