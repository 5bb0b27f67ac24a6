import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { HomeProcess, HomeTask } from '../model/provider.ts';
import { CappedOutput } from './commandStreams.ts';
import { checkSaid, writerTo } from './homeProgram.ts';
import { readAhead } from './readAhead.ts';

/** What makes an editor's own program Node, to which a file called `*.asar` is a file and no folder. */
export const asNode = { ELECTRON_RUN_AS_NODE: '1', ELECTRON_NO_ASAR: '1' };

/** Runs the program in the home's folder, on the node that runs this. */
export function spawnHome(
  instanceId: string,
  providerId: string,
  program: string,
  home: string,
  task: HomeTask,
): HomeProcess {
  const env = { PATH: process.env.PATH ?? '', ...asNode };
  const child = spawn(process.execPath, [program, task], { cwd: home, env, stdio: 'pipe' });
  return homeProcess(child, said => checkSaid(instanceId, providerId, said));
}

/**
 * The program as a child of this process, or what leads to it. `check` throws at what it says when it failed; `parts` is
 * what a chunk of its output has for the reader.
 */
export function homeProcess(
  child: ChildProcessWithoutNullStreams,
  check: (said: string) => void,
  parts: (chunk: Buffer) => readonly Buffer[] = chunk => [chunk],
): HomeProcess {
  // Its end closes no stream that is ours to close.
  const exited = new Promise<void>(resolve => child.on('exit', () => resolve()));
  const failed = new Promise<never>((_, reject) => child.on('error', reject));
  let signs = 0;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', () => {
      signs += 1;
    });
  }
  const done = Promise.race([CappedOutput.textOf(child.stderr), failed]).then(check);
  done.catch(() => {});
  return {
    output: readAhead(child.stdout, parts),
    write: writerTo(child.stdin),
    done,
    signs: () => signs,
    end: async () => {
      child.kill('SIGKILL');
      for (const stream of [child.stdin, child.stdout]) stream.destroy();
      if (child.pid !== undefined) await exited;
    },
  };
}
