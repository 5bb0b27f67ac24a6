import { once } from 'node:events';
import { createServer } from 'node:http';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { FlyApi } from '../../../../src/providers/fly/flyApi.ts';

test.each(['fm2_secret\nfm2_more', 'fm2_secret\u200b', 'FlyV1 fm2_secret\r\nX-Other: 1'])(
  'a token like %j is refused without a word of it, and nothing is sent',
  async token => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const api = new FlyApi('fly', `http://127.0.0.1:${port}`, async () => token);
    const error = await api
      .call('The check', quietContext, (client, signal) => client.GET('/tokens/current', { signal }))
      .catch((thrown: unknown) => thrown);
    server.close();
    expect(error).toMatchObject({ code: 'token-unusable', hint: expect.stringMatching(/\.$/) });
    expect(inspect(error, { depth: 9 })).not.toContain('secret');
    expect(asked).toEqual([]);
  },
);
