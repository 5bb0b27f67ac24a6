import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';

const dist = path.resolve(import.meta.dirname, '../../dist');

/** Which modules of the system each file of the bundle asks for, in an editor on Electron. */
const trial = `
const Module = require('node:module');
Object.defineProperty(process.versions, 'electron', { value: '35.0.0' });
const asked = new Set();
const load = Module._load;
const files = process.argv.slice(2);
const nothing = new Proxy(function () {}, { get: (_, name) => name === Symbol.toPrimitive ? () => '' : nothing });
Module._load = function (request, parent, ...rest) {
  if (!parent?.filename?.startsWith(process.argv[1])) return load.call(this, request, parent, ...rest);
  if (Module.isBuiltin(request) || request.startsWith('original-')) asked.add(request);
  if (request === 'vscode') return vscode;
  return load.call(this, request.replace(/^original-/, ''), parent, ...rest);
};
const text = files.map(file => require('node:fs').readFileSync(file, 'utf8')).join('');
const vscode = Object.fromEntries([...text.matchAll(/\\bvscode\\d*\\.(\\w+)/g)].map(([, name]) => [name, nothing]));
for (const file of files) require(file);
console.log(JSON.stringify([...asked].sort()));
process.exit();
`;

test('in an editor the bundle reads files as they are, and asks the web through the proxy of its settings', () => {
  const files = globSync('*.cjs', { cwd: dist }).filter(name => name !== 'hostProgram.cjs');
  expect(files.length).toBeGreaterThan(10);
  const args = ['-e', trial, dist, ...files.map(name => path.join(dist, name))];
  const asked: string[] = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  expect(asked).toEqual(expect.arrayContaining(['original-fs', 'original-fs/promises', 'http', 'https']));
  for (const other of ['fs', 'node:fs', 'fs/promises', 'node:fs/promises', 'node:http', 'node:https'])
    expect(asked).not.toContain(other);
});
