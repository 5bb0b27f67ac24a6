import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { environmentOf, expanded, handedOver, mergedPath } from '../../../media/instance/launcher.mjs';

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

describe('what an instance finds in its environment', () => {
  const image = { PATH: '/usr/local/go/bin:/usr/bin', HOME: '/home', EMPTY: '' };

  test.each([
    ['/opt/x:$PATH', '/opt/x:/usr/local/go/bin:/usr/bin'],
    [`\${PATH}:\${HOME}/bin`, '/usr/local/go/bin:/usr/bin:/home/bin'],
    [`\${containerEnv:PATH}:/x`, '/usr/local/go/bin:/usr/bin:/x'],
    [`\${containerEnv:NONE}|\${containerEnv:NONE:else}`, '|else'],
    [`\${NONE:-else}|\${EMPTY:-else}|\${HOME:+then}|\${NONE:+then}`, 'else|else|then|'],
    ['pa$word, $5, a$, $$ and $(ls)', 'pa$word, $5, a$, $$ and $(ls)'],
    ['$constructor', '$constructor'],
    [`\\$PATH \\\${HOME} \\n`, `$PATH \${HOME} \\n`],
  ])('%s becomes %s', (value, right) => {
    expect(environmentOf(image, { VALUE: value })).toHaveProperty('VALUE', value);
    expect(environmentOf(image, { VALUE: value }, [])).toHaveProperty('VALUE', right);
  });

  test('references tell what was there before, and never another variable of the instance', () => {
    const { PATH, OTHER } = environmentOf(image, { PATH: '$HOME:$PATH', OTHER: '$PATH' }, []);
    expect({ PATH, OTHER }).toEqual({ PATH: `/home:${image.PATH}`, OTHER: image.PATH });
  });

  test('without a dollar in it every value is what was given, and costs are linear', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), value => {
        const plain = value.replaceAll('$', '');
        expect(expanded(plain, image)).toBe(plain);
      }),
    );
    const hostile = '${A:-'.repeat(200_000) + '$'.repeat(200_000) + '\\$'.repeat(200_000);
    const begin = performance.now();
    expanded(hostile, image);
    expect(performance.now() - begin).toBeLessThan(2_000);
  });

  test('text is UTF-8 where nothing says how it is encoded', () => {
    expect(environmentOf({}, {})).toHaveProperty('LANG', 'C.UTF-8');
    expect(environmentOf({ LANG: '' }, {})).toHaveProperty('LANG', 'C.UTF-8');
    expect(environmentOf({ LANG: 'de_DE.UTF-8' }, {})).toHaveProperty('LANG', 'de_DE.UTF-8');
    for (const name of ['LC_ALL', 'LC_CTYPE']) expect(environmentOf({ [name]: 'C' }, {})).not.toHaveProperty('LANG');
    expect(environmentOf({}, { LANG: 'C' })).toHaveProperty('LANG', 'C');
  });

  test.each([
    ['/usr/bin:/bin', '/go/bin:/usr/bin', '/go/bin:/usr/bin:/bin'],
    ['/remote-cli:/usr/bin:/bin', '/go/bin:/usr/bin:/x:/bin:/y', '/go/bin:/remote-cli:/usr/bin:/x:/bin:/y'],
    ['/usr/bin', '/usr/bin', '/usr/bin'],
  ])('a login shell that made %s of %s leaves %s', (shells, own, right) => {
    expect(mergedPath(shells, own)).toBe(right);
  });

  test('what would change how the server itself starts is for terminals and commands, not for its own processes', async () => {
    await writeFile(path.join(reserved, 'environment.json'), '{ "NODE_PATH": "/mine" }');
    await writeFile(path.join(reserved, 'instance.json'), '{ "config": { "secretEnv": [] } }');
    const given = { [handedOver('NODE_OPTIONS')]: '--no-such-option', PATH: `/image/bin:${process.env.PATH}` };
    const there = 'NODE_OPTIONS="$NODE_OPTIONS" NODE_PATH="$NODE_PATH"';
    expect(launch(['exec', reserved, 'sh', '-c', `echo ${there}; env | grep HELD_BACK`], given).stdout).toBe(
      'NODE_OPTIONS=--no-such-option NODE_PATH=/mine\n',
    );
    const child = path.join(reserved, 'child.mjs');
    await writeFile(child, "console.log('child', process.env.NODE_OPTIONS, process.env.NODE_PATH, process.env.PATH);");
    const { stdout, stderr } = await serve(
      `
      import { fork, spawn, spawnSync } from 'node:child_process';
      const { stdout } = spawnSync('sh', ['-c', 'echo ${there}'], { encoding: 'utf8' });
      process.stdout.write('terminal ' + stdout);
      fork(${JSON.stringify(child)}, [], { env: { ...process.env, PATH: '/usr/bin' } }).on('exit', () => {
        const env = { ...process.env, VSCODE_RESOLVING_ENVIRONMENT: '1' };
        const asked = "PATH=/usr/bin; '" + process.execPath + "' -p 'process.env.PATH'";
        spawn('sh', ['-c', 'echo shell ${there};' + asked], { env, stdio: 'inherit' });
      });`,
      given,
    );
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      'terminal NODE_OPTIONS=--no-such-option NODE_PATH=/mine',
      expect.stringMatching(/^child undefined undefined \/image\/bin:.*\/usr\/bin/),
      'shell NODE_OPTIONS= NODE_PATH=',
      expect.stringMatching(/^\/image\/bin:.*\/usr\/bin/),
      '',
    ]);
  });
});
