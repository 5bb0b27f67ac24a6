// Stands in for code-server's server-main.js where a test is about containers and not about the editor: the same
// arguments, the same first line of the log, the same answers with and without the token. Asked for /break/<how> it
// breaks, and it counts how often it was asked for its version. Asked for /environment it tells the one of a process that
// it starts as code-server starts that of the extensions: with the PATH of a login shell.
// @ts-check
import { fork, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

/** @param {string} name */
const option = name => process.argv[process.argv.indexOf(name) + 1] ?? '';
if (process.argv[2] === 'tell') await new Promise(() => process.send?.(process.env, () => process.exit(0)));
const token = readFileSync(option('--connection-token-file'), 'utf8').trim();

/** While it is there no server starts; it lies in the container's own layer, which a restart keeps. */
const startBreaker = '/tmp/stub-server-cannot-start';
if (existsSync(startBreaker)) process.exit(1);
let status = 200;
let asked = 0;

/** @type {Record<string, () => void>} */
const breaks = {
  'answers-500': () => {
    status = 500;
  },
  'cannot-start': () => {
    writeFileSync(startBreaker, '');
    process.exit(1);
  },
  'out-of-memory': () => {
    // In one go: whoever goes on working at the limit has his program read from the disk again and again instead.
    setImmediate(() => Buffer.alloc(1024 ** 3, 1));
  },
};

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const below = url.pathname.replace(option('--server-base-path'), '');
  if (below === '/version') {
    asked++;
    return void response.writeHead(status, { 'x-asked': asked }).end('stub');
  }
  if (url.pathname.startsWith('/break/')) {
    return void response.end(breaks[url.pathname.slice('/break/'.length)]);
  }
  if (url.pathname === '/environment') {
    const { stdout } = spawnSync('/bin/bash', ['-lc', 'echo "$PATH"'], { encoding: 'utf8' });
    const env = { ...process.env, PATH: stdout.trim() };
    const told = fork(process.argv[1] ?? '', ['tell'], { env });
    return void told.on('message', variables => response.end(JSON.stringify(variables)));
  }
  if (url.searchParams.get('tkn') === token) {
    const cookie = `vscode-tkn=${token}; Max-Age=604800; HttpOnly`;
    return void response.writeHead(302, { location: '/', 'set-cookie': cookie }).end();
  }
  if (request.headers.cookie?.includes(token)) return void response.end('<title>stub</title>');
  response.writeHead(403).end('Forbidden.');
});
server.listen(Number(option('--port')), option('--host'), () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.stdout.write(`Extension host agent listening on ${port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
