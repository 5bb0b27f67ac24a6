import { ProviderConfig } from '../model/config.ts';
import { invalidSetting } from '../model/errors.ts';

const key = 'remoteSwarm.providers';

/** The entries of the setting that name a provider; whatever else a person has written there is not for a picker. */
export function entriesIn(setting: unknown): ProviderConfig[] {
  return Array.isArray(setting) ? setting.flatMap(entry => ProviderConfig.safeParse(entry).data ?? []) : [];
}

/**
 * The setting with `config` in the place of the first entry of its id, or at the end. All else in it stays as a person
 * wrote it. Throws `invalidSetting` when it is no list: what is there would be lost.
 */
export function withEntry(setting: unknown, config: ProviderConfig): unknown[] {
  if (setting !== undefined && !Array.isArray(setting)) throw invalidSetting(key, 'it must be an array');
  const entries: unknown[] = setting ?? [];
  const place = entries.findIndex(entry => ProviderConfig.safeParse(entry).data?.id === config.id);
  return place < 0 ? [...entries, config] : entries.with(place, config);
}
