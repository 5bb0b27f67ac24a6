import type * as z from 'zod';
import {
  defaultHealthConfig,
  defaultMigrationConfig,
  defaultPolicy,
  HealthConfig,
  MigrationConfig,
  SwarmConfig,
  strictestPolicy,
} from '../model/config.ts';

/** Where a setting's value lies in {@link SwarmConfig}: a field of it, or one of its health's or migration's. */
export type SettingField =
  | Exclude<keyof SwarmConfig, 'health' | 'migration'>
  | `health.${keyof HealthConfig}`
  | `migration.${keyof MigrationConfig}`;

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
  /** `live`: read at each use. `reload`: the swarm is built anew when it changes. */
  readonly takesEffect: 'live' | 'reload';
}

const defaults: Omit<SwarmConfig, 'health' | 'migration'> = {
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

/** Those of health come behind all others, in the order in which they are listed. */
function healthRow(name: keyof HealthConfig, index: number): SettingRow {
  return {
    field: `health.${name}`,
    key: `remoteSwarm.health.${name}`,
    schema: HealthConfig.shape[name],
    default: defaultHealthConfig[name],
    scope: 'application',
    order: 20 + index,
    description: `setting.health.${name}`,
    takesEffect: 'live',
    ...(name === 'recoveryActions' && {
      enumDescriptions: {
        restart: 'setting.health.recoveryActions.restart',
        recreate: 'setting.health.recoveryActions.recreate',
        migrate: 'setting.health.recoveryActions.migrate',
      },
    }),
  };
}

/** Those of migrations come last. */
function migrationRow(name: keyof MigrationConfig, index: number): SettingRow {
  return {
    field: `migration.${name}`,
    key: `remoteSwarm.migration.${name}`,
    schema: MigrationConfig.shape[name],
    default: defaultMigrationConfig[name],
    scope: 'application',
    order: 50 + index,
    description: `setting.migration.${name}`,
    takesEffect: 'live',
    ...(name === 'defaultStrategy' && {
      enumDescriptions: {
        'stop-and-recreate': 'setting.migration.defaultStrategy.stopAndRecreate',
        'create-then-stop': 'setting.migration.defaultStrategy.createThenStop',
      },
    }),
  };
}

const migrationFields: readonly (keyof MigrationConfig)[] = ['enabled', 'defaultStrategy', 'timeout'];

const healthFields: readonly (keyof HealthConfig)[] = [
  'enabled',
  'checkInterval',
  'checkTimeout',
  'failureThreshold',
  'startupGrace',
  'resourceInterval',
  'historySize',
  'autoRecover',
  'recoveryActions',
  'maxRecoveryAttempts',
  'restartWindow',
  'recreateWindow',
  'migrateWindow',
  'resetAfter',
  'fleetShare',
  'suspectShare',
];

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
  ...healthFields.map(healthRow),
  ...migrationFields.map(migrationRow),
];
