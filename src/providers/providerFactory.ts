import type * as z from 'zod';
import type { ProviderConfig } from '../model/config.ts';
import { invalidInput, unknownProvider } from '../model/errors.ts';
import type { Provider, ProviderType } from '../model/provider.ts';
import { DockerProviderConfig } from './docker/dockerConfig.ts';
import { GuardedProvider } from './guardedProvider.ts';
import { LocalProviderConfig } from './local/localConfig.ts';
import type { ProviderEnvironment } from './providerEnvironment.ts';

/** What a kind of place brings: a name for people, what its settings may hold, and how it is made. */
interface Registration {
  readonly displayName: string;
  /** Its JSON schema describes the provider in the settings. */
  readonly configSchema: z.ZodType<ProviderConfig>;
  create(config: ProviderConfig, environment: ProviderEnvironment): Promise<Provider>;
}

/** Ties `create` to its schema; the module with the provider itself, and its engine's client, is loaded at first use. */
function registration<S extends z.ZodType<ProviderConfig>>(
  displayName: string,
  configSchema: S,
  create: (config: z.output<S>, environment: ProviderEnvironment) => Promise<Provider>,
): Registration {
  return {
    displayName,
    configSchema,
    create: (config, environment) => create(parsed(configSchema, config), environment),
  };
}

/** Every kind of place. A further one is one line here and one folder beside this file. */
const registrations: Readonly<Record<ProviderType, Registration>> = {
  local: registration('This Machine', LocalProviderConfig, async (config, environment) => {
    const { LocalProvider } = await import('./local/localProvider.ts');
    return new LocalProvider(config, environment);
  }),
  docker: registration('Docker', DockerProviderConfig, async (config, environment) => {
    const { DockerProvider } = await import('./docker/dockerProvider.ts');
    return new DockerProvider(config, environment);
  }),
};

/** Makes providers from settings (seed, Provider Factory). */
export const ProviderFactory = {
  /** The types that can be made. */
  types(): { type: ProviderType; displayName: string; configSchema: z.ZodType<ProviderConfig> }[] {
    return Object.entries(registrations).map(([type, { displayName, configSchema }]) => ({
      type,
      displayName,
      configSchema,
    }));
  },

  /** A guarded provider; contacts nothing. Rejects with `unknown-provider` or `invalid-input`. */
  async createProvider(
    type: ProviderType,
    config: ProviderConfig,
    environment: ProviderEnvironment,
  ): Promise<Provider> {
    if (!Object.hasOwn(registrations, type)) throw unknownProvider(type, Object.keys(registrations));
    const provider = await registrations[type]?.create(config, environment);
    if (!provider) throw unknownProvider(type, Object.keys(registrations));
    return new GuardedProvider(provider);
  },
};

function parsed<S extends z.ZodType>(schema: S, config: ProviderConfig): z.output<S> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`);
  throw invalidInput(`The provider "${config.id}" in the settings`, problems);
}
