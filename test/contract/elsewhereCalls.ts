import { quietContext } from '../../src/model/operationContext.ts';
import type { InstanceSpec } from '../../src/model/provider.ts';
import type { LoneProvider } from '../fakes/loneProvider.ts';

/** Every call of a provider that could touch an instance, those that take most away at the end. */
export function callsOf(provider: LoneProvider, spec: InstanceSpec): Record<string, () => Promise<unknown>> {
  const { id } = spec.identity;
  const { abilities } = provider;
  return {
    start: () => provider.startInstance(id),
    create: () => provider.createInstance(spec),
    update: () => provider.updateInstance(id, { env: { CHANGED: 'yes' } }),
    execute: () => provider.executeCommand(id, 'true', quietContext),
    terminal: async () => abilities.terminal?.(id),
    'open home': async () => abilities.openHome?.(id, 'import'),
    stop: () => provider.stopInstance(id),
    'stop by force': () => provider.stopInstance(id, true),
    recreate: () => abilities.recreateInstance(spec),
    trash: () => abilities.trashInstance(id),
    restore: () => abilities.restoreInstance(id),
    park: () => abilities.setRole(id, 'parked'),
    'make incoming': () => abilities.prepareIncoming(spec),
    'hand over': () => abilities.transfer(id, { swarmId: 'bbbbbbbbbbbbbbbb', epoch: 3, owner: spec.identity.owner }),
    delete: () => provider.deleteInstance(id),
  };
}

/** What the place says of the instance, and then what comes of each call: the code of its error, or `done`. */
export async function outcomesOf(provider: LoneProvider, spec: InstanceSpec): Promise<Record<string, unknown>> {
  await provider.initialize();
  const { id } = spec.identity;
  const seen = (await provider.abilities.observe()).find(row => row.id === id);
  const outcomes: Record<string, unknown> = { seen: seen && { status: seen.status, detail: seen.detail } };
  for (const [name, call] of Object.entries(callsOf(provider, spec))) {
    outcomes[name] = await call().then(
      () => 'done',
      (error: { code?: string; message: string }) => error.code ?? error.message,
    );
  }
  return outcomes;
}
