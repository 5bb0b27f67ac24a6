import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { quietContext } from '../../../src/model/operationContext.ts';
import { instanceVariable } from '../../../src/providers/local/instanceEnvironment.ts';
import { hostile } from '../hostileInput.ts';
import { describePlaces } from './describePlaces.ts';
import { expectReadable } from './place.ts';
import { badId, dockerContainer, dockerWorld, localWorld, reservedPlaces, tokenPlaces } from './reservedPlaces.ts';

describePlaces(reservedPlaces);

describe.each(tokenPlaces)('$file', ({ schema, read }) => {
  test('that holds a token is read', async () => {
    expect(await read(Buffer.from('0123456789abcdef0123456789abcdef\n'))).toEqual({
      value: '0123456789abcdef0123456789abcdef',
      said: undefined,
    });
  });

  test('that holds anything else is refused, and nothing of it is told', async () => {
    const bad = fc.oneof(
      fc.constantFrom('', '\n', 'short', 'a'.repeat(40_000), '0123456789abcdef 0123456789abcdef'),
      fc.string({ maxLength: 40 }),
      ...Object.values(hostile),
    );
    await fc.assert(
      fc.asyncProperty(bad, async text => {
        const { value, said } = await read(Buffer.from(text));
        if (value !== undefined) return expect(schema.parse(text)).toBe(value);
        expectReadable(said);
        if (text.trim().length > 8) expect(said).not.toContain(text.trim());
      }),
      { numRuns: 40 },
    );
  });
});

test('of a file in a container only so much is read as one of ours can have', async () => {
  const { files } = dockerWorld(Buffer.alloc(20 * 1024 * 1024, '{'));
  const text = await files.read(dockerContainer, '/remote-swarm/reserved/instance.json', quietContext);
  expect(text?.length).toBeLessThan(17 * 1024 * 1024);
  await expect(files.readMark(dockerContainer, quietContext)).rejects.toMatchObject({
    code: 'reserved-file-unreadable',
  });
});

test.runIf(process.platform === 'linux')(
  'a server whose mark is damaged does not go on beside another one',
  async () => {
    const { root, reserved, provider } = await localWorld();
    const [directory, id] = [path.join(root, 'instances'), badId];
    const env = { [instanceVariable]: path.join(directory, id) };
    const server = spawn('/bin/sleep', ['300'], { env, stdio: 'ignore', detached: true });
    const ended = once(server, 'exit');
    onTestFinished(() => {
      server.kill('SIGKILL');
      rmSync(root, { recursive: true, force: true });
    });
    writeFileSync(path.join(reserved, 'process.json'), `{"pid":${server.pid},"startTi`);
    expect(await provider.getInstance(id)).toMatchObject({
      status: 'stopped',
      detail: 'its file reserved/process.json cannot be read',
    });
    await expect(provider.startInstance(id)).rejects.toMatchObject({ code: 'editor-server-invalid' });
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(await provider.getInstance(id)).toMatchObject({ status: 'stopped' });
  },
);
