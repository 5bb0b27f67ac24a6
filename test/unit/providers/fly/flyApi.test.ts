import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockLost } from '../../../../src/model/errors.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { FlyApi } from '../../../../src/providers/fly/flyApi.ts';

let server: Server;
let api: FlyApi;
let isLost = false;
let onAsked: () => number;
const asked: string[] = [];
const ctx = {
  ...quietContext,
  lock: {
    assertHeld: () => {
      if (isLost) throw lockLost('abcdefabcdef');
    },
  },
};

beforeEach(async () => {
  [isLost, asked.length, onAsked] = [false, 0, () => 200];
  server = createServer((request, response) => {
    asked.push(request.method ?? '');
    response.writeHead(onAsked(), { 'retry-after': '0' }).end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  api = new FlyApi('fly', `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, async () => 'fo1_x');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const change = () => api.call('The change', ctx, (client, signal) => client.POST('/apps', { body: {}, signal }));
const look = () => api.call('The look', ctx, (client, signal) => client.GET('/tokens/current', { signal }));

test('what may change something is sent only while the lock is held', async () => {
  await change();
  isLost = true;
  await expect(change()).rejects.toMatchObject({ code: 'lock-lost' });
  await look();
  expect(asked).toEqual(['POST', 'GET']);
});

test('a change that Fly refused for its rate is not sent again when its lock was lost meanwhile', async () => {
  onAsked = () => {
    isLost = true;
    return 429;
  };
  await expect(change()).rejects.toMatchObject({ code: 'lock-lost' });
  expect(asked).toEqual(['POST']);
});

test('of an answer without an end only so much is read', async () => {
  let sent = 0;
  server.removeAllListeners('request');
  server.on('request', (_, response) => {
    const chunk = Buffer.alloc(1024 * 1024, ' ');
    const send = () => {
      if (response.destroyed) return;
      sent += 1;
      if (response.write(chunk)) setImmediate(send);
      else response.once('drain', send);
    };
    send();
  });
  await expect(look()).rejects.toMatchObject({ code: 'fly-answer-too-large' });
  expect(sent).toBeLessThan(100);
});
