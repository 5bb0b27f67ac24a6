import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import type { SshHost } from './sshHost.ts';
import { useSsh } from './sshProviders.ts';

/** The host's own `ssh`, which keeps count of how often it was started. */
export interface CountedSsh {
  /** How often since the last time that this was asked. */
  taken(): number;
  restorePath(): void;
}

export function countSsh(host: SshHost, scratch: string): CountedSsh {
  const calls = path.join(scratch, 'calls');
  const script = `#!/bin/sh\necho call >> '${calls}'\nexec '${path.join(host.path, 'ssh')}' "$@"\n`;
  writeFileSync(path.join(scratch, 'ssh'), script, { mode: 0o755 });
  writeFileSync(calls, '');
  return {
    taken: () => {
      const made = readFileSync(calls, 'utf8').split('\n').length - 1;
      writeFileSync(calls, '');
      return made;
    },
    restorePath: useSsh(scratch),
  };
}

/** Resolves when the monitor has judged each of so many instances once more. */
export async function nextRound({ health }: SwarmController, instances: number): Promise<void> {
  const judged = () => health.list().map(({ checks }) => checks[0]?.at ?? '');
  const before = new Set(judged());
  const isOver = () => judged().length === instances && judged().every(at => !before.has(at));
  for (const deadline = performance.now() + 60_000; !isOver(); await sleep(25)) {
    if (performance.now() > deadline) throw new Error('no round came to its end');
  }
}
