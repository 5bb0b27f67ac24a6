import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const launcher = path.resolve(import.meta.dirname, '../../../media/instance/launcher.mjs');
const token = 'a-token-of-the-test';
let reserved: string;

beforeEach(async () => {
  reserved = await mkdtemp(path.join(tmpdir(), 'remote-swarm-launcher-'));
  await writeFile(path.join(reserved, 'token'), `${token}\n`);
  await writeFile(path.join(reserved, 'environment.json'), '{ "OWN": "it\'s own" }');
});
afterEach(() => rm(reserved, { recursive: true, force: true }));

const launch = (args: string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [launcher, ...args], { encoding: 'utf8', env: { PATH: process.env.PATH ?? '', ...env } });

async function serve(program: string, env?: Record<string, string>) {
  const file = path.join(reserved, 'server.mjs');
  await writeFile(file, program);
  return launch(['serve', reserved, file, '--port', '0'], env);
}

test('the server gets its arguments and variables, and its token never gets into the log', async () => {
  const { stdout, stderr, status } = await serve(`
    console.log(process.argv.slice(2).join(' '), process.env.OWN);
    console.log('http://x?tkn=${token}');
    process.stderr.write(new TextEncoder().encode('${token}\\n'));`);
  expect({ stdout, stderr, status }).toEqual({
    stdout: "--port 0 it's own\nhttp://x?tkn=***\n",
    stderr: '***\n',
    status: 0,
  });
});

test('each line of the log begins with its time where a place asks for it', async () => {
  const program = `console.log('one\\n\\nthree'); process.stdout.write('be'); process.stdout.write('gin\\nend'); console.log(process.env.REMOTE_SWARM_LOG_TIMES);`;
  const { stdout } = await serve(program, { REMOTE_SWARM_LOG_TIMES: '1' });
  const lines = stdout.trimEnd().split('\n');
  for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z /);
  expect(lines.map(line => line.slice(25))).toEqual(['one', '', 'three', 'begin', 'endundefined']);
});

test('a command gets the variables, and its exit code is passed on', () => {
  const { stdout, status } = launch(['exec', reserved, 'sh', '-c', 'echo "$OWN"; exit 7']);
  expect({ stdout, status }).toEqual({ stdout: "it's own\n", status: 7 });
  expect(launch(['exec', reserved, 'sh', '-c', 'kill -9 $$']).status).toBe(137);
  expect(launch(['exec', reserved, 'no-such-command-here']).status).toBe(127);
});

test.each([
  ['environment.json', '{ "TOKEN": "correct-horse-battery'],
  ['environment.json', ''],
  ['token', '\n'],
])('of a file %s that holds %j it says that it cannot be used, and nothing of what is in it', async (name, text) => {
  await writeFile(path.join(reserved, name), text);
  const { stdout, stderr, status } = await serve('console.log("served")');
  expect({ stdout, status }).toEqual({ stdout: '', status: 2 });
  expect(stderr).toMatch(new RegExp(`^launcher: the file reserved/${name} (cannot be read|is empty)\n$`));
});
