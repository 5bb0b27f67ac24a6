import * as path from 'node:path';
import type { EditorServer, InstanceLayout } from './editorServer.ts';
import { serveWebToken } from './editorServer.ts';
import { shellWord } from './shellWord.ts';

/** A script beside the home that is the command line of the instance's editor server, whichever that is. */
export const editorCliFile = (layout: InstanceLayout) => path.join(layout.reserved, 'editor');

/** What the script holds; written at each start, since another server may have been installed. */
export function editorCli(layout: InstanceLayout, server: EditorServer): string {
  const run =
    server.kind === 'node'
      ? `${shellWord(server.node)} ${shellWord(server.serverMain)}`
      : // `code serve-web` keeps the servers that it downloaded here, one folder a release.
        `"$(ls -td ${shellWord(path.dirname(serveWebToken(layout)))}/serve-web/*/bin/code-server* | head -n 1)"`;
  return `#!/bin/sh\nexec ${run} --accept-server-license-terms --server-data-dir ${shellWord(layout.serverData)} "$@"\n`;
}
