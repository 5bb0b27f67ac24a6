import type * as z from 'zod';
import {
  defaultHealthConfig,
  defaultMigrationConfig,
  defaultPolicy,
  defaultSnapshotConfig,
  HealthConfig,
  MigrationConfig,
  SnapshotConfig,
  SwarmConfig,
  strictestPolicy,
} from '../model/config.ts';

/** Parts of {@link SwarmConfig} that have fields of their own. */
type SettingGroup = 'health' | 'migration' | 'snapshots';

/** Where a setting's value lies in {@link SwarmConfig}: a field of it, or one of a group's. */
export type SettingField =
  | Exclude<keyof SwarmConfig, SettingGroup>
  | `health.${keyof HealthConfig}`
  | `migration.${keyof MigrationConfig}`
  | `snapshots.${keyof SnapshotConfig}`;

/** One setting of the extension, as data: package.json is generated from it and the settings are read by it. */
export interface SettingRow {
  /** The setting is called `remoteSwarm.<field>`. */
  readonly field: SettingField;
  readonly key: `remoteSwarm.${SettingField}`;
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
  /** Whether it names what one computer has: Settings Sync does not carry it to another. */
  readonly ofThisMachine?: true;
  /** `live`: read at each use. `reload`: the swarm is built anew when it changes. */
  readonly takesEffect: 'live' | 'reload';
}

const defaults: Omit<SwarmConfig, SettingGroup> = {
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
  field: keyof typeof defaults,
  order: number,
  takesEffect: SettingRow['takesEffect'],
  more: Pick<SettingRow, 'enumDescriptions' | 'strictest' | 'ofThisMachine'> = {},
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

/** Those of a group come in the order of its schema, and hold at once. */
function groupRows<G extends SettingGroup>(
  group: G,
  { shape }: { readonly shape: Readonly<Record<keyof SwarmConfig[G] & string, z.ZodType>> },
  defaultValues: SwarmConfig[G],
  firstOrder: number,
  enumDescriptions: Partial<Record<keyof SwarmConfig[G], Readonly<Record<string, string>>>> = {},
): SettingRow[] {
  const names = Object.keys(shape) as (keyof SwarmConfig[G] & string)[];
  return names.map((name, index) => {
    const field = `${group}.${name}` as SettingField;
    const words = enumDescriptions[name];
    return {
      ...{ field, key: `remoteSwarm.${field}`, schema: shape[name], default: defaultValues[name] },
      ...{ scope: 'application', order: firstOrder + index, description: `setting.${field}`, takesEffect: 'live' },
      ...(words && { enumDescriptions: words }),
    };
  });
}

export const settingsTable: readonly SettingRow[] = [
  row('providers', 1, 'reload', { ofThisMachine: true }),
  row('enabledProviders', 2, 'reload', { ofThisMachine: true }),
  row('defaultProviderType', 3, 'live', { ofThisMachine: true }),
  row('stateDirectory', 4, 'reload', { ofThisMachine: true }),
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
  ...groupRows('health', HealthConfig, defaultHealthConfig, 20, {
    recoveryActions: {
      restart: 'setting.health.recoveryActions.restart',
      recreate: 'setting.health.recoveryActions.recreate',
      migrate: 'setting.health.recoveryActions.migrate',
    },
  }),
  ...groupRows('migration', MigrationConfig, defaultMigrationConfig, 50, {
    defaultStrategy: {
      'stop-and-recreate': 'setting.migration.defaultStrategy.stopAndRecreate',
      'create-then-stop': 'setting.migration.defaultStrategy.createThenStop',
    },
  }),
  ...groupRows('snapshots', SnapshotConfig, defaultSnapshotConfig, 60),
];
