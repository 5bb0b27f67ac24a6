import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { projectRoot } from '../../../../scripts/editorHost.ts';
import { mutants } from './mutants.ts';

const all = Object.entries(mutants);
const isLong = process.env.REMOTE_SWARM_SOAK === '1';
/** The long form tries all of them. */
const tried = isLong ? all : all.slice(0, 1);

describe('the model test finds broken rules', () => {
  test.each(all)('that is one place in the source: %s', async (_, { file, from }) => {
    const source = await readFile(path.join(projectRoot, 'src', file), 'utf8');
    expect(source.split(from)).toHaveLength(2);
  });

  test.each(tried)(
    'and is found: %s',
    async name => {
      const { exitCode, output } = await modelTest(name);
      expect(output).toMatch(/AssertionError: (after|while it settles|what is not settled)/);
      expect(exitCode).toBe(1);
    },
    300_000,
  );
});

/** Runs the model test with one rule broken. */
async function modelTest(name: string): Promise<{ exitCode: unknown; output: string }> {
  const vitest = path.join(projectRoot, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--project', 'unit*', 'test/unit/core/model/swarmModel.test.ts'];
  const { REMOTE_SWARM_SOAK: _soak, ...env } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: projectRoot,
    env: { ...env, NO_COLOR: '1', REMOTE_SWARM_MUTANT: name },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  // It has workers, which would outlive it.
  const end = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL');
  const timer = setTimeout(end, 280_000);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (output += chunk));
  const [exitCode] = await once(child, 'close').finally(() => clearTimeout(timer));
  return { exitCode, output };
}
