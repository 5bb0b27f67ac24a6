import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { activationBytes, buildExtension } from '../../scripts/build.ts';
import { projectRoot } from '../../scripts/editorHost.ts';
import type { Figure } from './figure.ts';
import { median } from './figure.ts';

const run = promisify(execFile);

/** Sizes of what is shipped, and how long its `activate()` takes in processes of their own. */
export async function measureBundle(): Promise<Figure[]> {
  const bundles = await buildExtension(true);
  const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  try {
    const vsix = path.join(directory, 'remote-swarm.vsix');
    const options = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links'];
    await run('vsce', ['package', ...options, '--out', vsix], { cwd: projectRoot });
    const activations: number[] = [];
    for (let round = 0; round < 9; round++) {
      const { stdout } = await run(process.execPath, [path.join(import.meta.dirname, 'activation.cjs')]);
      activations.push(Number(stdout));
    }
    return [
      { name: 'bundle at activation', value: activationBytes(bundles) / 1_000, unit: 'kB', goal: 150, better: 'lower' },
      { name: 'VSIX', value: (await stat(vsix)).size / 1_000, unit: 'kB', goal: 500, better: 'lower' },
      { name: 'activate(), loading included', value: median(activations), unit: 'ms', goal: 50, better: 'lower' },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
