import { type ChildProcess, spawn } from 'node:child_process';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import type { MovingScene } from './movingScene.ts';

/** A helper that was made and not started, or has ended and not been removed: swept away when it is ten minutes old. */
export const sweptLater = /^\w+ container remote-swarm-(check|home)-id (created|exited)$/;

/** A record of the step's begin, and the moment right before its end would be on disk. */
export const boundariesOf = (...steps: string[]) => steps.flatMap(step => [`${step} begun`, `${step} done`]);

/** A window in a process that carries one migration out; see `mortalWindow.ts`. */
export interface Mortal {
  readonly process: ChildProcess;
  /** Has it begin, and resolves when it has; it dies at the boundary, if there is one. */
  migrate(migrationId: string, boundary?: string): Promise<void>;
  readonly ended: Promise<NodeJS.Signals | null>;
}

export function startMortal(scene: MovingScene): Mortal {
  const file = path.join(import.meta.dirname, 'mortalWindow.ts');
  const argv = ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', file, JSON.stringify(scene)];
  const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const words = { ready: Promise.withResolvers<void>(), began: Promise.withResolvers<void>() };
  createInterface(child.stdout).on('line', line => words[line as keyof typeof words]?.resolve());
  const ended = new Promise<NodeJS.Signals | null>(resolve => child.on('close', (_code, signal) => resolve(signal)));
  return {
    process: child,
    ended,
    migrate: async (migrationId, boundary) => {
      await Promise.race([words.ready.promise, ended]);
      child.stdin.write(boundary === undefined ? `${migrationId}\n` : `${migrationId} ${boundary}\n`);
      await Promise.race([words.began.promise, ended]);
    },
  };
}
