import { execFileSync, spawnSync } from 'node:child_process';
import { buildSync } from 'esbuild';

/** Whoever runs the tests, unless that is root: what is forbidden to others is not forbidden to it. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** Why nothing can be run as an ordinary user here; undefined when it can. */
export const ordinaryUserProblem: string | undefined =
  spawnSync(process.execPath, ['--version'], user).status === 0
    ? undefined
    : 'an ordinary user cannot run the Node that runs the tests';

/** A folder that is an ordinary user's, with all that is in it. */
export function giveToOrdinaryUser(folder: string): void {
  if (user.uid !== undefined) execFileSync('chown', ['-Rh', `${user.uid}:${user.gid}`, folder]);
}

/** Runs a program as an ordinary user; answers with what it said, and how it ended. */
export function asOrdinaryUser(
  file: string,
  args: readonly string[],
  options: { cwd?: string; input?: string | Uint8Array; env?: NodeJS.ProcessEnv } = {},
): { status: number | null; stdout: Buffer; stderr: Buffer } {
  return spawnSync(file, args, { maxBuffer: 1024 ** 3, ...options, ...user });
}

/** Runs a module of ours, which need not be where an ordinary user may read it; answers with what it printed. */
export function moduleAsOrdinaryUser(code: string, resolveDir: string, env: NodeJS.ProcessEnv = {}): string {
  const { outputFiles } = buildSync({
    ...{ stdin: { contents: code, resolveDir, loader: 'ts' }, bundle: true, write: false },
    ...{ platform: 'node', format: 'esm', logLevel: 'error' },
  });
  const program = outputFiles[0]?.text ?? '';
  const { status, stdout, stderr } = asOrdinaryUser(process.execPath, ['--input-type=module', '-'], {
    ...{ cwd: '/', input: program, env: { PATH: process.env.PATH, ...env } },
  });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout.toString().trim();
}
