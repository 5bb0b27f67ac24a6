import type * as z from 'zod';
import type { ProviderConfig } from '../model/config.ts';
import { invalidInput, unknownProviderType } from '../model/errors.ts';
import { problemsOf } from '../model/problemsOf.ts';
import type { Provider, ProviderType } from '../model/provider.ts';
import { DockerProviderConfig } from './docker/dockerConfig.ts';
import { FlyProviderConfig } from './fly/flyConfig.ts';
import { GuardedProvider } from './guardedProvider.ts';
import { LocalProviderConfig } from './local/localConfig.ts';
import type { ProviderEnvironment } from './providerEnvironment.ts';
import { SshProviderConfig } from './ssh/sshConfig.ts';

/** What a kind of place brings: a name for people, what its settings may hold, and how it is made. */
interface Registration {
  readonly displayName: string;
  /** Its JSON schema describes the provider in the settings. */
  readonly configSchema: z.ZodType<ProviderConfig>;
  /** Where it is told how to make the token with which it is reached; undefined when it needs none. */
  readonly tokenUrl?: string | undefined;
  create(config: ProviderConfig, environment: ProviderEnvironment): Promise<Provider>;
}

/** Ties `create` to its schema; the module with the provider itself, and its engine's client, is loaded at first use. */
function registration<S extends z.ZodType<ProviderConfig>>(
  displayName: string,
  configSchema: S,
  create: (config: z.output<S>, environment: ProviderEnvironment) => Promise<Provider>,
  tokenUrl?: string,
): Registration {
  return {
    displayName,
    configSchema,
    tokenUrl,
    create: (config, environment) => create(parsed(configSchema, config), environment),
  };
}

/** Every kind of place. A further one is one line here and one folder beside this file. */
const registrations: Readonly<Record<ProviderType, Registration>> = {
  local: registration('This Computer', LocalProviderConfig, async (config, environment) => {
    const { LocalProvider } = await import('./local/localProvider.ts');
    return new LocalProvider(config, environment);
  }),
  docker: registration('Docker', DockerProviderConfig, async (config, environment) => {
    const { DockerProvider } = await import('./docker/dockerProvider.ts');
    return new DockerProvider(config, environment);
  }),
  ssh: registration('SSH Host', SshProviderConfig, async (config, environment) => {
    const { SshProvider } = await import('./ssh/sshProvider.ts');
    return new SshProvider(config, environment);
  }),
  fly: registration(
    'Fly.io',
    FlyProviderConfig,
    async (config, environment) => {
      const { FlyProvider } = await import('./fly/flyProvider.ts');
      return new FlyProvider(config, environment);
    },
    'https://fly.io/docs/security/tokens/',
  ),
};

/** Makes providers from settings (seed, Provider Factory). */
export const ProviderFactory = {
  /** The types that can be made. */
  types(): (Omit<Registration, 'create'> & { type: ProviderType })[] {
    return Object.entries(registrations).map(([type, { displayName, configSchema, tokenUrl }]) => ({
      type,
      displayName,
      configSchema,
      tokenUrl,
    }));
  },

  /** A guarded provider; contacts nothing. Rejects with `unknown-provider` or `invalid-input`. */
  async createProvider(
    type: ProviderType,
    config: ProviderConfig,
    environment: ProviderEnvironment,
  ): Promise<Provider> {
    const kind = Object.hasOwn(registrations, type) ? registrations[type] : undefined;
    if (!kind) throw unknownProviderType(config.id, type, Object.keys(registrations));
    return new GuardedProvider(await kind.create(config, environment));
  },
};

function parsed<S extends z.ZodType>(schema: S, config: ProviderConfig): z.output<S> {
  const result = schema.safeParse(config, { reportInput: true });
  if (result.success) return result.data;
  throw invalidInput(`The provider "${config.id}" in remoteSwarm.providers`, problemsOf(result.error, 'it'));
}
