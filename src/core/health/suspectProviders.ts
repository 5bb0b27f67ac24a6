import type { HealthConfig } from '../../model/config.ts';
import type { InstanceHealth } from '../../model/health.ts';
import { checkOf } from './healthChecks.ts';

/** Failures on fewer instances than these say nothing about their provider. */
const fewest = 3;

/** Whether so many of a provider's watched instances fail that it is the provider itself which fails (semantics 10). */
export const isTooMany = (failing: number, watched: number, config: HealthConfig) =>
  failing >= fewest && failing / watched >= config.suspectShare;

/** Whether a provider lists so few of its watched instances that its list is not believed, however often it says so. */
export const isEmptied = (own: readonly InstanceHealth[], config: HealthConfig) =>
  isTooMany(own.filter(health => checkOf(health, 'provider')?.outcome === 'failed').length, own.length, config);

/** A watched instance, as the round judged it. */
export interface RoundRow {
  readonly providerId: string;
  readonly health: InstanceHealth;
}

export interface Suspicion {
  readonly suspects: readonly { readonly providerId: string; readonly reason: string }[];
  /** Every provider, of two or more, fails or does not answer: it is our own network, and nothing is done anywhere. */
  readonly ownNetwork: boolean;
}

/**
 * The providers that are themselves suspect, because so many of their instances fail in one round; nothing is recovered
 * there (semantics 10). `rows`: every watched instance of every provider.
 */
export function suspectProviders(rows: readonly RoundRow[], config: HealthConfig): Suspicion {
  const byProvider = [...Map.groupBy(rows, ({ providerId }) => providerId)];
  const suspects = byProvider.flatMap(([providerId, own]) => {
    const failing = own.filter(({ health }) => fails(health)).length;
    if (!isTooMany(failing, own.length, config)) return [];
    return [{ providerId, reason: `${failing} of ${own.length} instances on "${providerId}" fail at once.` }];
  });
  const isDown = ([providerId, own]: [string, RoundRow[]]) =>
    suspects.some(suspect => suspect.providerId === providerId) ||
    own.every(({ health }) => checkOf(health, 'provider')?.outcome === 'unknown');
  return { suspects, ownNetwork: byProvider.length > 1 && byProvider.every(isDown) };
}

const fails = ({ checks }: InstanceHealth) =>
  checks.some(({ name, outcome }) => name !== 'resources' && outcome === 'failed');
