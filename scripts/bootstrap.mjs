// @ts-check
// Runs a script of this folder on a machine that has nothing but Node ≥ 20 and npm: installs what package-lock.json
// names when it is not there, then hands over to the project's own Node, which runs TypeScript as it is.
//   node scripts/bootstrap.mjs <script.ts> [argument...]
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
const node = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const otherPaths = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== bin);

/** @returns {Record<string, { version?: string; optional?: boolean }>} what a lock file lists, by its path */
function packagesOf(/** @type {string} */ lockFile) {
  return existsSync(lockFile) ? JSON.parse(readFileSync(lockFile, 'utf8')).packages : {};
}

function isInstalled() {
  const present = packagesOf(join(root, 'node_modules', '.package-lock.json'));
  const wanted = Object.entries(packagesOf(join(root, 'package-lock.json')));
  return (
    existsSync(node) &&
    wanted.every(([path, { version, optional }]) => path === '' || optional || present[path]?.version === version)
  );
}

/**
 * Runs a program to its end and answers with its exit code. Ctrl-C reaches the child by itself, since it shares our
 * terminal; here it must only not end us first.
 * @param {string} file
 * @param {string[]} args
 * @param {string[]} path
 * @returns {Promise<number>}
 */
function run(file, args, path) {
  const env = { ...process.env, PATH: path.join(delimiter) };
  const child = spawn(file, args, { cwd: root, env, stdio: 'inherit', shell: process.platform === 'win32' });
  const forward = () => void child.kill('SIGTERM');
  const ignore = () => {};
  process.on('SIGINT', ignore).on('SIGTERM', forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', ignore).off('SIGTERM', forward);
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}

if (!isInstalled()) {
  console.log('Installing the packages of package-lock.json (about a minute the first time)…');
  const code = await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], otherPaths);
  if (code !== 0) process.exit(code);
}
const quiet = '--disable-warning=MODULE_TYPELESS_PACKAGE_JSON';
process.exitCode = await run(node, [quiet, ...process.argv.slice(2)], [bin, ...otherPaths]);
