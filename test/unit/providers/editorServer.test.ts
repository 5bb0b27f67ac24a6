import { describe, expect, test } from 'vitest';
import { editorCli } from '../../../src/providers/editorCli.ts';
import {
  instanceLayout,
  listeningPort,
  serveArguments,
  serveWebArguments,
  serveWebToken,
} from '../../../src/providers/editorServer.ts';
import { shellWord } from '../../../src/providers/shellWord.ts';

const id = 'abcdefabcdef';
const layout = instanceLayout(`/swarm/${id}--owner`);

describe('how the editor server is started', () => {
  test('on node: loopback, a port of its choice, the token from its file', () => {
    expect(serveArguments('/ext/launcher.mjs', '/cs/out/server-main.js', layout, id, '127.0.0.1', 0)).toEqual([
      '/ext/launcher.mjs',
      'serve',
      '/swarm/abcdefabcdef--owner/reserved',
      '/cs/out/server-main.js',
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      '--connection-token-file',
      '/swarm/abcdefabcdef--owner/reserved/token',
      '--accept-server-license-terms',
      '--telemetry-level',
      'off',
      '--server-data-dir',
      '/swarm/abcdefabcdef--owner/home/.vscode-server',
      '--server-base-path',
      '/abcdefabcdef',
      '--default-folder',
      '/swarm/abcdefabcdef--owner/home/workspace',
    ]);
  });

  test('by code serve-web: loopback, our port, the token where every release of it looks', () => {
    expect(serveWebArguments(layout, id, '127.0.0.1', 4711)).toEqual([
      'serve-web',
      '--cli-data-dir',
      '/swarm/abcdefabcdef--owner/reserved/code-cli',
      '--host',
      '127.0.0.1',
      '--port',
      '4711',
      '--accept-server-license-terms',
      '--server-data-dir',
      '/swarm/abcdefabcdef--owner/home/.vscode-server',
      '--server-base-path',
      '/abcdefabcdef',
    ]);
    expect(serveWebToken(layout)).toBe('/swarm/abcdefabcdef--owner/reserved/code-cli/serve-web-token');
  });

  test('the port is read from what it prints, once it listens', () => {
    expect(listeningPort('2026-01-01T00:00:00.000Z Server bound to 127.0.0.1:4 (IPv4)\n')).toBeUndefined();
    expect(listeningPort('2026-01-01T00:00:00.000Z Extension host agent listening on 44379\n')).toBe(44379);
  });
});

describe('the command line of an instance’s editor', () => {
  test('a path with a quote stays one word', () => {
    expect(shellWord("it's")).toBe(`'it'\\''s'`);
    const script = editorCli(layout, { kind: 'node', node: "/o'n/node", serverMain: '/m.js' });
    expect(script).toContain(`exec '/o'\\''n/node' '/m.js' --accept-server-license-terms --server-data-dir`);
  });
});
