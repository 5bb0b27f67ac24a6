import * as http from 'node:http';
import * as path from 'node:path/posix';
import { editorFolder } from '../model/homeEntries.ts';
import { type OperationContext, withTimeout } from '../model/operationContext.ts';
import type { Probe } from '../model/provider.ts';

/** The release of code-server that is installed, and whose image is the default. */
export const editorServerVersion = '4.139.1';
/**
 * Its image for every processor, by what it holds: a tag can be moved. With the version the digest is another one, which
 * `docker buildx imagetools inspect codercom/code-server:<version>` tells.
 */
export const editorServerImage = `codercom/code-server:${editorServerVersion}@sha256:0c067c3cf09ed1830ce282387826be8feefef8a5828f462791c2df3f1007ee17`;

/**
 * Where everything of one instance lies below its root, whatever the place. All that must survive a recreate or a
 * migration is in `home`; the reserved folder beside it holds the token and our marks (semantics 2 and 35).
 */
export function instanceLayout(root: string) {
  const home = path.join(root, 'home');
  const reserved = path.join(root, 'reserved');
  return {
    root,
    home,
    workspace: path.join(home, 'workspace'),
    serverData: path.join(home, editorFolder),
    reserved,
    token: path.join(reserved, 'token'),
    /** `{ NAME: value }`, plain and secret variables together; 0600. */
    environment: path.join(reserved, 'environment.json'),
    /** Identity and config, so that the provider is a second copy of the registry. */
    record: path.join(reserved, 'instance.json'),
  };
}
export type InstanceLayout = ReturnType<typeof instanceLayout>;

/**
 * Where an instance's editor lies below its port. A browser keeps cookies by host and path and not by port: below one
 * path, the token of the instance opened last would lock out the others.
 */
const basePath = (instanceId: string) => `/${instanceId}`;

/** The options every flavour of the server takes; `port` 0 lets the server choose. Holds no secret. */
export function serverOptions(layout: InstanceLayout, instanceId: string, host: string, port: number): string[] {
  return [
    '--host',
    host,
    '--port',
    String(port),
    '--connection-token-file',
    layout.token,
    '--accept-server-license-terms',
    '--telemetry-level',
    'off',
    '--server-data-dir',
    layout.serverData,
    '--server-base-path',
    basePath(instanceId),
    '--default-folder',
    layout.workspace,
  ];
}

/** An editor server on this machine: a `server-main.js` and the node to run it on, or the `code` of a desktop VS Code. */
export type EditorServer =
  | { readonly kind: 'node'; readonly node: string; readonly serverMain: string }
  | { readonly kind: 'serve-web'; readonly file: string };

/**
 * Where `code serve-web` keeps and reads its token. Releases of it exist that ignore `--connection-token-file`, and all
 * of them take what lies here, so that no argument holds the token.
 */
export const serveWebToken = (layout: InstanceLayout) => path.join(layout.reserved, 'code-cli', 'serve-web-token');

/** Arguments for `code` that serve an instance. It does not say which port it took, so `port` must be a free one. */
export function serveWebArguments(layout: InstanceLayout, instanceId: string, host: string, port: number): string[] {
  return [
    'serve-web',
    '--cli-data-dir',
    path.dirname(serveWebToken(layout)),
    '--host',
    host,
    '--port',
    String(port),
    '--accept-server-license-terms',
    '--server-data-dir',
    layout.serverData,
    '--server-base-path',
    basePath(instanceId),
  ];
}

/** The port in what a server printed; undefined until it listens. */
export function listeningPort(log: string): number | undefined {
  const match = /Extension host agent listening on (\d+)/.exec(log);
  return match ? Number(match[1]) : undefined;
}

/** Arguments for `node` that serve an instance through `media/instance/launcher.mjs`. */
export function serveArguments(
  launcher: string,
  serverMain: string,
  layout: InstanceLayout,
  instanceId: string,
  host: string,
  port: number,
): string[] {
  return [launcher, 'serve', layout.reserved, serverMain, ...serverOptions(layout, instanceId, host, port)];
}

/** What came in place of an answer, in words that go on after "it". */
function brokenBy({ code = 'unknown' }: NodeJS.ErrnoException): string {
  if (code === 'ECONNREFUSED') return 'refused the connection';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'closed the connection';
  return code.startsWith('HPE_') ? 'answered something that is not HTTP' : `could not be reached (${code})`;
}

/**
 * Asks an instance's editor server whether it is there: for its version, on a connection of its own that is closed after
 * it. Below the instance's own path, where no other server has one: a port that is free again is soon somebody else's.
 * Takes as long as the context allows: the end of that time is an answer too. Rejects with any other reason of its signal.
 */
export function probe(host: string, port: number, instanceId: string, ctx: OperationContext): Promise<Probe> {
  const path = `${basePath(instanceId)}/version`;
  return probeWith(() => http.get({ host, port, path, agent: false, signal: ctx.signal }), ctx);
}

/** The same by a request for its version that `ask` sends with the context's signal. */
export function probeWith(ask: () => http.ClientRequest, { signal }: OperationContext): Promise<Probe> {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const settle = (seen?: string) => {
      const latencyMs = performance.now() - begin;
      resolve(seen === undefined ? { answered: true, latencyMs } : { answered: false, latencyMs, seen });
    };
    const request = ask();
    request.on('response', response => {
      settle(response.statusCode === 200 ? undefined : `answered ${response.statusCode}`);
      request.destroy();
    });
    request.on('error', error => {
      if (!signal.aborted) settle(brokenBy(error));
      else if (signal.reason instanceof Error && signal.reason.name === 'TimeoutError')
        settle('did not answer in time');
      else reject(signal.reason);
    });
  });
}

/** Whether it answers within five seconds, for whoever waits for a start. Never rejects but for the signal. */
export async function answers(host: string, port: number, instanceId: string, ctx: OperationContext): Promise<boolean> {
  return (await probe(host, port, instanceId, withTimeout(ctx, 5_000))).answered;
}
