import * as z from 'zod';

/** What a provider, or a kind of provider, is called. */
export const ProviderId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 lower-case letters, digits and dashes');

/** True when a path means what a person reads: no control characters, no halves of characters, no way up. */
export const isPlainPath = (path: string) =>
  !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(path) && !path.split(/[\\/]/).includes('..');

const path = z
  .string()
  .max(4096, 'must have at most 4096 characters')
  .refine(isPlainPath, 'must not hold control characters or ".."')
  // Elsewhere than on Windows it would be a folder of that name, wherever the editor was started.
  .refine(text => process.platform === 'win32' || !/^[A-Za-z]:/.test(text), 'must be a path of this machine');

/** Where something lies on this machine. */
export const AbsolutePath = path.regex(/^(\/|[A-Za-z]:[\\/])/, 'must be an absolute path');

/** A provider in the settings. What else it may hold is the business of its type's own schema. */
export const ProviderConfig = z.looseObject({ id: ProviderId, type: ProviderId });
export type ProviderConfig = z.infer<typeof ProviderConfig>;

/** Who calls an operation (semantics 32). */
export const Caller = z.enum(['person', 'agent', 'client', 'controller']);
export type Caller = z.infer<typeof Caller>;

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

/** Everything that can be set (seed, Configuration). Times in seconds. */
export const SwarmConfig = z.strictObject({
  /** Absolute; empty means the extension's own storage. */
  stateDirectory: path.regex(/^($|\/|[A-Za-z]:[\\/])/, 'must be an absolute path, or empty'),
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
});
export type SwarmConfig = z.infer<typeof SwarmConfig>;
