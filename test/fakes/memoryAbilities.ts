import * as path from 'node:path';
import { type OperationContext, quietContext } from '../../src/model/operationContext.ts';
import type { Probe } from '../../src/model/provider.ts';
import { probe } from '../../src/providers/editorServer.ts';
import type { LoneAbilities } from './loneProvider.ts';
import type { MemoryCall } from './memoryPlace.ts';
import type { MemoryProvider, MemoryProviderOptions } from './memoryProvider.ts';

/** What a {@link MemoryProvider} can do beside the plain interface. */
export function memoryAbilities(provider: MemoryProvider, options: MemoryProviderOptions): LoneAbilities {
  const { place } = provider;
  const pass = <T>(call: MemoryCall, ctx: OperationContext, work: () => Promise<T> | T) =>
    place.pass(provider.id, call, ctx, work);
  return {
    images: options.images ?? true,
    limits: options.limits ?? true,
    ...(options.remakes && { remakes: options.remakes }),
    observe: (ctx = quietContext) => pass('observe', ctx, () => place.listed()),
    readToken: (id, ctx = quietContext) => pass('readToken', ctx, () => provider.existing(id).token),
    workspacePath: id => path.join(provider.home(id), 'workspace'),
    installExtensionCommand: (_, extensionId) => `echo installed ${extensionId}`,
    connect: (id, port, ctx = quietContext) =>
      pass('connect', ctx, () => {
        const running = provider.running(id);
        return { host: '127.0.0.1', port: port ?? running.port ?? 0, dispose: () => {} };
      }),
    probe: (id, port, ctx) => pass('probe', ctx, () => probeServer(provider, id, port, ctx)),
    hasHome: (id, ctx = quietContext) =>
      pass('hasHome', ctx, () => place.homesOf.has(id) && place.instances.get(id)?.role !== 'removing'),
    recreateInstance: (spec, ctx = quietContext) => pass('recreateInstance', ctx, () => provider.recreate(spec, ctx)),
    trashInstance: (id, ctx = quietContext) =>
      pass('trashInstance', ctx, async () => {
        await provider.moveTo('trash', id, ctx);
      }),
    restoreInstance: (id, ctx = quietContext) => pass('restoreInstance', ctx, () => provider.moveTo('owner', id, ctx)),
    prepareIncoming: (spec, ctx = quietContext) =>
      pass('prepareIncoming', ctx, () => provider.prepareIncoming(spec, ctx)),
    setRole: (id, role, ctx = quietContext) => pass('setRole', ctx, () => provider.moveTo(role, id, ctx)),
    transfer: (id, heir, ctx = quietContext) => pass('transfer', ctx, () => provider.transfer(id, heir, ctx)),
    freeBytes: async () => place.freeBytes,
    watch: wake => place.changed.event(wake),
    stats: (ids, ctx = quietContext) =>
      pass('stats', ctx, () =>
        ids
          .filter(id => place.instances.get(id)?.running)
          .map(id => ({ id, ...place.usageOfAll, ...place.usage.get(id) })),
      ),
    followLogs: (id, sink, ctx) => pass('followLogs', ctx, () => followLogs(provider, id, sink, ctx)),
  };
}

/** A real server is asked; one without a socket answers on its port as long as it runs. */
async function probeServer(
  { place }: MemoryProvider,
  id: string,
  port: number | undefined,
  ctx: OperationContext,
): Promise<Probe> {
  const silence = place.silenceOf(id);
  if (silence !== undefined) return { answered: false, latencyMs: 1, seen: silence };
  const server = place.instances.get(id);
  const asked = port ?? server?.port;
  if (place.homes !== undefined && asked !== undefined) return probe('127.0.0.1', asked, id, ctx);
  if (server?.running && server.port === asked) return { answered: true, latencyMs: 1 };
  return { answered: false, latencyMs: 0, seen: 'refused the connection' };
}

function followLogs(
  provider: MemoryProvider,
  id: string,
  sink: (line: string) => void,
  ctx: OperationContext,
): Promise<void> {
  const { place } = provider;
  const { token } = provider.running(id);
  return new Promise((resolve, reject) => {
    const lines = place.logged.event(event => {
      if (event.id === id) sink(event.line.replaceAll(token, '***'));
    });
    const changes = place.changed.event(() => {
      if (!place.instances.get(id)?.running) end(resolve);
    });
    const end = (settle: () => void) => {
      lines.dispose();
      changes.dispose();
      settle();
    };
    ctx.signal.addEventListener('abort', () => end(() => reject(ctx.signal.reason)), { once: true });
  });
}
