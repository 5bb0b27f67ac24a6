// Stands in for code-server's server-main.js where a test is about containers and not about the editor: the same
// arguments, the same first line of the log, the same answers with and without the token.
// @ts-check
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

/** @param {string} name */
const option = name => process.argv[process.argv.indexOf(name) + 1] ?? '';
const token = readFileSync(option('--connection-token-file'), 'utf8').trim();

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (url.pathname === '/version') return void response.end('stub');
  if (url.searchParams.get('tkn') === token) {
    const cookie = `vscode-tkn=${token}; Max-Age=604800; HttpOnly`;
    return void response.writeHead(302, { location: '/', 'set-cookie': cookie }).end();
  }
  if (request.headers.cookie?.includes(token)) return void response.end('<title>stub</title>');
  response.writeHead(403).end('Forbidden.');
});
server.listen(Number(option('--port')), option('--host'), () => {
  process.stdout.write(`Extension host agent listening on ${option('--port')}\n`);
});
process.on('SIGTERM', () => process.exit(0));
