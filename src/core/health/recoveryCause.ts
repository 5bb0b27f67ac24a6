import type { HealthConfig } from '../../model/config.ts';
import type { InstanceHealth, RecoveryCause } from '../../model/health.ts';
import { checkOf, recentResources } from './healthChecks.ts';
import type { RoundFacts } from './roundFacts.ts';

/** Why, in words that go on after "because". */
export const causeWords: Readonly<Record<RecoveryCause, string>> = {
  exited: 'it does not run',
  'out-of-memory': 'it ran out of memory',
  unresponsive: 'its editor server does not answer',
  missing: 'its place has no server for it any more',
  'home-missing': 'its home is gone',
  'disk-full': 'its disk is full',
  'bad-config': 'its image or its configuration cannot be run',
  'provider-gone': 'its provider is gone',
};

/**
 * What an instance suffers from (semantics 13), by the health that `facts` led to. `hasHome`: what its place said of
 * its home, when asked. Undefined when nothing has to be mended, and always while it is not known how the instance is.
 * Never `provider-gone`: that a provider does not answer is no proof (semantics 27).
 */
export function causeOf(
  health: InstanceHealth,
  facts: RoundFacts,
  config: HealthConfig,
  hasHome: boolean | undefined,
): RecoveryCause | undefined {
  const diskFull = recentResources(health.checks, facts.at, config)?.outcome === 'failed';
  if (health.status === 'degraded' && diskFull) return 'disk-full';
  if (health.status !== 'unhealthy') return undefined;
  const failed = (name: 'provider' | 'status' | 'connectivity') => checkOf(health, name)?.outcome === 'failed';
  if (!failed('provider') && !failed('status')) {
    if (!failed('connectivity')) return undefined;
    return diskFull ? 'disk-full' : 'unresponsive';
  }
  if (hasHome === false) return 'home-missing';
  if (failed('provider')) return 'missing';
  return diskFull ? 'disk-full' : (facts.confirmed?.cause ?? 'exited');
}
