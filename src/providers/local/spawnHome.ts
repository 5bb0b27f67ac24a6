import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { HomeProcess, HomeTask } from '../../model/provider.ts';
import { checkEnd } from '../homeProgram.ts';

/** Runs the program in the home's folder, on the node that runs this. */
export async function spawnHome(
  instanceId: string,
  providerId: string,
  program: string,
  home: string,
  task: HomeTask,
): Promise<HomeProcess> {
  const env = { PATH: process.env.PATH ?? '', ELECTRON_RUN_AS_NODE: '1' };
  const child = spawn(process.execPath, [program, task], { cwd: home, env, stdio: 'pipe' });
  const said = text(child.stderr).catch(() => '');
  const exited = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  // One that has ended reads no more; its exit code tells why.
  child.stdin.on('error', () => {});
  const done = (async () => checkEnd(instanceId, providerId, await exited, await said))();
  done.catch(() => {});
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    done,
    end: async () => {
      child.kill('SIGKILL');
      child.stdout.destroy();
      await exited.catch(() => {});
    },
  };
}
