import type { HealthConfig } from '../../model/config.ts';
import type { InstanceHealth } from '../../model/health.ts';
import { checkOf } from './healthChecks.ts';

/** Failures on fewer instances than these say nothing about their provider. */
const fewest = 3;

/** Whether so many of a provider's watched instances fail that it is the provider itself which fails (semantics 10). */
export const isTooMany = (failing: number, watched: number, config: HealthConfig) =>
  failing >= fewest && failing / watched >= config.suspectShare;

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

/**
 * The suspicion without the providers that have said the same for more than `failureThreshold` rounds, which `rounds`
 * counts, and so are believed. But for those that list so few of their instances that no list of theirs is.
 */
export function withoutBelieved(
  suspicion: Suspicion,
  rows: readonly RoundRow[],
  rounds: ReadonlyMap<string, number>,
  config: HealthConfig,
): Suspicion {
  const isEmptied = (providerId: string) => {
    const own = rows.filter(row => row.providerId === providerId);
    const gone = own.filter(({ health }) => checkOf(health, 'provider')?.outcome === 'failed');
    return isTooMany(gone.length, own.length, config);
  };
  const suspects = suspicion.suspects.filter(
    ({ providerId }) => (rounds.get(providerId) ?? 0) <= config.failureThreshold || isEmptied(providerId),
  );
  return { ...suspicion, suspects };
}
