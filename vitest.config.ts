import { defineConfig } from 'vitest/config';

const project = (name: string, include: string[], test: Record<string, unknown> = {}) => ({
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
      project('engine', ['test/engine/**/*.test.ts'], heavy),
      project('workbench', ['test/workbench/**/*.test.ts'], heavy),
    ],
  },
});
