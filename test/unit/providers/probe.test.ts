import * as http from 'node:http';
import * as net from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { quietContext, withTimeout } from '../../../src/model/operationContext.ts';
import { answers, probe } from '../../../src/providers/editorServer.ts';

const servers: net.Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if (server instanceof http.Server) server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  }
});

async function portOf(server: net.Server): Promise<number> {
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as net.AddressInfo).port;
}
const serve = (listener: http.RequestListener) => portOf(http.createServer(listener));
const ask = (port: number, ctx = quietContext) => probe('127.0.0.1', port, 'abcdefabcdef', ctx);

describe('a probe of an editor server', () => {
  test('asks for its version once, and is answered in the time that it took', async () => {
    const urls: (string | undefined)[] = [];
    const port = await serve((request, response) => {
      urls.push(`${request.method} ${request.url} ${request.headers.connection}`);
      setTimeout(() => response.end('1.2.3'), 30);
    });
    const answer = await ask(port);
    expect(answer).toEqual({ answered: true, latencyMs: expect.any(Number) });
    expect(answer.latencyMs).toBeGreaterThan(25);
    expect(urls).toEqual(['GET /abcdefabcdef/version close']);
  });

  test('leaves no connection behind, however long the answer is', async () => {
    const server = http.createServer((_, response) => {
      response.writeHead(200);
      const more = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.on('close', () => clearInterval(more));
    });
    const port = await portOf(server);
    expect(await ask(port)).toMatchObject({ answered: true });
    const count = () => new Promise((resolve, reject) => server.getConnections((e, n) => (e ? reject(e) : resolve(n))));
    await vi.waitFor(async () => expect(await count()).toBe(0));
  });

  test.each([500, 202, 302, 404])('tells of an answer %i', async status => {
    const port = await serve((_, response) => response.writeHead(status, { location: '/' }).end());
    expect(await ask(port)).toEqual({ answered: false, latencyMs: expect.any(Number), seen: `answered ${status}` });
  });

  test('tells that nobody listens', async () => {
    const server = net.createServer();
    const port = await portOf(server);
    await new Promise(resolve => server.close(resolve));
    servers.length = 0;
    expect(await ask(port)).toMatchObject({ answered: false, seen: 'refused the connection' });
  });

  test.each([
    ['closed the connection', (socket: net.Socket) => socket.end()],
    ['closed the connection', (socket: net.Socket) => socket.resetAndDestroy()],
    ['answered something that is not HTTP', (socket: net.Socket) => socket.end('220 mail.example ready\r\n\r\n')],
  ])('tells that it %s', async (seen, reply) => {
    const port = await portOf(
      net.createServer(socket => socket.once('data', () => reply(socket)).on('error', () => {})),
    );
    expect(await ask(port)).toMatchObject({ answered: false, seen });
  });

  test('takes the end of its time for an answer, also when it had none', async () => {
    const port = await serve(() => {});
    expect(await ask(port, withTimeout(quietContext, 20))).toMatchObject({
      answered: false,
      seen: 'did not answer in time',
      latencyMs: expect.toSatisfy((ms: number) => ms > 15),
    });
    const over = { ...quietContext, signal: AbortSignal.abort(new DOMException('over', 'TimeoutError')) };
    expect(await ask(port, over)).toMatchObject({ answered: false, seen: 'did not answer in time' });
    await expect(answers('127.0.0.1', port, 'abcdefabcdef', over)).resolves.toBe(false);
  });

  test('gives its caller’s own reason back', async () => {
    const port = await serve(() => {});
    const controller = new AbortController();
    const asked = ask(port, { ...quietContext, signal: controller.signal });
    controller.abort();
    await expect(asked).rejects.toBe(controller.signal.reason);
  });
});
