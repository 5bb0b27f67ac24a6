import type * as z from 'zod';
import { defaultPolicy, SwarmConfig, strictestPolicy } from '../model/config.ts';

/** One setting of the extension, as data: package.json is generated from it and the settings are read by it. */
export interface SettingRow {
  /** The field of {@link SwarmConfig}; the setting is called `remoteSwarm.<field>`. */
  readonly field: keyof SwarmConfig;
  readonly key: `remoteSwarm.${keyof SwarmConfig}`;
  readonly schema: z.ZodType;
  readonly default: unknown;
  /** Stands for a value that can't be used, where the default would lift a restriction that somebody wanted. */
  readonly strictest?: unknown;
  /** All of them name hosts, binaries or rights, so that no workspace may set them (semantics 38). */
  readonly scope: 'application';
  readonly order: number;
  /** Key of the markdown description in package.nls.json. */
  readonly description: string;
  /** Keys in package.nls.json for the values of every enum inside the schema. */
  readonly enumDescriptions?: Readonly<Record<string, string>>;
  /** `live`: read at each use. `reload`: the swarm is built anew when it changes. */
  readonly takesEffect: 'live' | 'reload';
}

const defaults: SwarmConfig = {
  stateDirectory: '',
  defaultProviderType: '',
  loadStateOnStartup: true,
  autoSaveInterval: 5,
  enabledProviders: [],
  providers: [],
  policy: defaultPolicy,
  agentDestroyLimit: 3,
};

function row(
  field: keyof SwarmConfig,
  order: number,
  takesEffect: SettingRow['takesEffect'],
  more: Pick<SettingRow, 'enumDescriptions' | 'strictest'> = {},
): SettingRow {
  return {
    field,
    key: `remoteSwarm.${field}`,
    schema: SwarmConfig.shape[field],
    default: defaults[field],
    scope: 'application',
    order,
    description: `setting.${field}`,
    takesEffect,
    ...more,
  };
}

export const settingsTable: readonly SettingRow[] = [
  row('providers', 1, 'reload'),
  row('enabledProviders', 2, 'reload'),
  row('defaultProviderType', 3, 'live'),
  row('stateDirectory', 4, 'reload'),
  row('loadStateOnStartup', 5, 'reload'),
  row('autoSaveInterval', 6, 'live'),
  row('policy', 7, 'live', {
    strictest: strictestPolicy,
    enumDescriptions: {
      allow: 'setting.policy.allow',
      confirm: 'setting.policy.confirm',
      deny: 'setting.policy.deny',
    },
  }),
  row('agentDestroyLimit', 8, 'live', { strictest: 0 }),
];
