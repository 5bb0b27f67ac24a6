// @ts-check
// Loaded into the editor server that hosts the extension (`node --import`). Its workbench sends links to ports of this
// machine to /proxy/<port>/, which only code-server's own wrapper serves. The browser is on the same machine, so a
// redirect to the port is all it takes.
import { Server } from 'node:http';

const emit = Server.prototype.emit;
Server.prototype.emit = function (/** @type {string} */ event, /** @type {any[]} */ ...args) {
  const [request, response] = args;
  const [, port, rest] = (event === 'request' && /^\/proxy\/(\d{1,5})(\/.*)$/.exec(request.url)) || [];
  if (port === undefined) return Reflect.apply(emit, this, [event, ...args]);
  response.writeHead(302, { location: `http://127.0.0.1:${port}${rest}` }).end();
  return true;
};
