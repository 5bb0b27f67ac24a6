import * as z from 'zod';
import { isAbsoluteOn, isDeviceOn } from './absolutePath.ts';
import { RecoveryRung } from './health.ts';
import { MigrationStrategy } from './migration.ts';
import { ProviderId } from './provider.ts';

/** True when a path means what a person reads: no control characters, no halves of characters, no way up. */
export const isPlainPath = (path: string) =>
  !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(path) && !path.split(/[\\/]/).includes('..');

const path = z
  .string()
  .max(4096, 'must have at most 4096 characters')
  .refine(isPlainPath, 'must not hold control characters or ".."');

/** How an absolute path begins, on any system. */
const absolute = /^(\/|\\\\|[A-Za-z]:[\\/])/;

/** Whether it is absolute on another system only: with a drive elsewhere than on Windows, or without one there. */
const isForeign = (text: string) => absolute.test(text) && !isAbsoluteOn(text, process.platform);

/** Where something lies on this machine. */
export const AbsolutePath = path
  .regex(absolute, 'must be an absolute path')
  .refine(text => !isForeign(text), 'must be an absolute path of this machine');

/** A provider in the settings. What else it may hold is the business of its type's own schema. */
export const ProviderConfig = z.looseObject({
  // Files are called so.
  id: ProviderId.refine(
    id => !isDeviceOn(id, process.platform),
    'must not be the name of a device, such as con or nul',
  ),
  type: ProviderId,
});
export type ProviderConfig = z.infer<typeof ProviderConfig>;

/** Where a provider's credential lies in the secret storage. */
export const credentialKey = (providerId: string) => `provider/${providerId}/token`;

/** What an operation does to the world. `execute` runs a command inside an instance. */
export const Effect = z.enum(['read', 'change', 'execute', 'destroy']);
export type Effect = z.infer<typeof Effect>;

export const Verdict = z.enum(['allow', 'confirm', 'deny']);
export type Verdict = z.infer<typeof Verdict>;

/**
 * caller × effect → verdict. For an agent, `allow` still goes through the chat's own confirmation, which its user may
 * have switched off; `confirm` is our own modal, which nothing can skip.
 */
export const Policy = z.strictObject({
  person: z.record(Effect, Verdict),
  agent: z.record(Effect, Verdict),
  client: z.record(Effect, Verdict),
  controller: z.record(Effect, Verdict),
});
export type Policy = z.infer<typeof Policy>;

export const defaultPolicy: Policy = {
  person: { read: 'allow', change: 'allow', execute: 'allow', destroy: 'confirm' },
  agent: { read: 'allow', change: 'allow', execute: 'allow', destroy: 'confirm' },
  client: { read: 'allow', change: 'confirm', execute: 'confirm', destroy: 'confirm' },
  controller: { read: 'allow', change: 'allow', execute: 'deny', destroy: 'deny' },
};

const nothing = { read: 'deny', change: 'deny', execute: 'deny', destroy: 'deny' } as const;

/** What a wrong entry of the policy means: nobody but a person may do it. */
export const strictestPolicy: Policy = {
  person: defaultPolicy.person,
  agent: nothing,
  client: nothing,
  controller: nothing,
};

/** How health is watched and mended (seed, Health Monitor Configuration; semantics 5 to 14). Times in seconds. */
export const HealthConfig = z.strictObject({
  enabled: z.boolean(),
  checkInterval: z.number().min(5).max(3600),
  /** How long an editor server may take to answer. */
  checkTimeout: z.number().min(1).max(60),
  /** Failures in a row of the connectivity check that make an instance unhealthy. */
  failureThreshold: z.int().min(1).max(100),
  /** After a start, silence is no failure for this long. */
  startupGrace: z.number().min(0).max(3600),
  /** How often CPU, memory and disk are measured. */
  resourceInterval: z.number().min(30).max(86_400),
  /** Samples kept of each instance. */
  historySize: z.int().min(1).max(10_000),
  autoRecover: z.boolean(),
  /** The rungs that may be used. */
  recoveryActions: z.array(RecoveryRung).max(3, 'must have at most 3 entries'),
  /** Restarts within `restartWindow`. */
  maxRecoveryAttempts: z.int().min(0).max(100),
  restartWindow: z.number().min(1).max(86_400),
  /** At most one recreate, and one migration, within these. */
  recreateWindow: z.number().min(1).max(604_800),
  migrateWindow: z.number().min(1).max(604_800),
  /** The counters begin anew after this long in good health. */
  resetAfter: z.number().min(1).max(86_400),
  /** Share of the fleet that may be in recovery at once; at least one instance may. */
  fleetShare: z.number().min(0).max(1),
  /** Share of a provider's instances (and at least three) that must fail at once to make the provider suspect. */
  suspectShare: z.number().min(0.01).max(1),
});
export type HealthConfig = z.infer<typeof HealthConfig>;

export const defaultHealthConfig: HealthConfig = {
  enabled: true,
  checkInterval: 30,
  checkTimeout: 5,
  failureThreshold: 3,
  startupGrace: 300,
  resourceInterval: 300,
  historySize: 288,
  autoRecover: true,
  recoveryActions: ['restart', 'recreate', 'migrate'],
  maxRecoveryAttempts: 3,
  restartWindow: 600,
  recreateWindow: 1_800,
  migrateWindow: 21_600,
  resetAfter: 600,
  fleetShare: 0.1,
  suspectShare: 0.55,
};

/** How instances move between providers (seed, Migration Configuration). */
export const MigrationConfig = z.strictObject({
  enabled: z.boolean(),
  /** For whoever names none. */
  defaultStrategy: MigrationStrategy,
  /** Seconds that a migration has until its pivot. */
  timeout: z.number().min(10).max(604_800),
});
export type MigrationConfig = z.infer<typeof MigrationConfig>;

export const defaultMigrationConfig: MigrationConfig = {
  enabled: true,
  defaultStrategy: 'stop-and-recreate',
  timeout: 3_600,
};

/** How homes are kept without being asked. */
export const SnapshotConfig = z.strictObject({
  /** Seconds after which an instance's home is kept again; 0 means never. */
  interval: z.number().min(0).max(31_536_000),
});
export type SnapshotConfig = z.infer<typeof SnapshotConfig>;

export const defaultSnapshotConfig: SnapshotConfig = { interval: 86_400 };

/** Everything that can be set (seed, Configuration). Times in seconds. */
export const SwarmConfig = z.strictObject({
  /** Absolute; empty means the extension's own storage. */
  stateDirectory: path
    .regex(/^($|\/|\\\\|[A-Za-z]:[\\/])/, 'must be an absolute path, or empty')
    .refine(text => !isForeign(text), 'must be an absolute path of this machine, or empty'),
  /** A provider's id or type; empty lets placement choose. */
  defaultProviderType: z
    .string()
    .regex(/^([a-z0-9][a-z0-9-]{0,31})?$/, 'must be the id or the type of a provider, or empty'),
  loadStateOnStartup: z.boolean(),
  /** How often observed state that changed is written to disk. What was asked for is always written at once. */
  autoSaveInterval: z.number().min(1).max(3600),
  /** Ids of the providers in use; empty means all of them. */
  enabledProviders: z.array(ProviderId).max(100, 'must have at most 100 entries'),
  providers: z.array(ProviderConfig).max(100, 'must have at most 100 entries'),
  policy: Policy,
  /** How many instances agents may destroy in ten minutes, whatever the policy says. */
  agentDestroyLimit: z.int().min(0).max(1000),
  health: HealthConfig,
  migration: MigrationConfig,
  snapshots: SnapshotConfig,
});
export type SwarmConfig = z.infer<typeof SwarmConfig>;
