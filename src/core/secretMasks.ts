import type { LockedVault, SecretVault } from '../model/stateStore.ts';
import { KnownSecrets } from './knownSecrets.ts';
import { SecretMask } from './secretMask.ts';

/** Shorter ones could be guessed, and are no credential of anything. */
const leastCredential = 16;

/**
 * All secret values that this process has met, by whose they are. What comes from an instance is masked by its own and by
 * the credentials of this window: masked by those of another one, it would tell whoever guesses what they are.
 */
export class SecretMasks {
  readonly #window = new KnownSecrets();
  readonly #instances = new Map<string, KnownSecrets>();

  /** A credential of this window, as for a provider. */
  learn(credential: string): void {
    if (credential.length >= leastCredential) this.#window.learn([credential]);
  }

  learnOf(instanceId: string, values: Iterable<string>): void {
    const known = this.#instances.get(instanceId) ?? new KnownSecrets();
    this.#instances.set(instanceId, known);
    known.learn(values);
  }

  /** For what these instances have said, or others of them; without any, for all else that is passed on. */
  of(...instanceIds: readonly string[]): SecretMask {
    const known = instanceIds.flatMap(id => this.#instances.get(id) ?? []);
    return new SecretMask([this.#window, ...known]);
  }

  /** For what persons alone read. */
  all(): SecretMask {
    return new SecretMask([this.#window, ...this.#instances.values()]);
  }

  /** The vault, from which nothing is read and into which nothing is put that is not masked from then on. */
  taughtBy(vault: SecretVault): LockedVault {
    return {
      read: async instanceId => {
        const secrets = await vault.read(instanceId);
        this.learnOf(instanceId, Object.values(secrets));
        return secrets;
      },
      store: async (instanceId, secrets, { lock }) => {
        this.learnOf(instanceId, Object.values(secrets));
        lock.assertHeld();
        await vault.store(instanceId, secrets);
      },
      forget: async (instanceId, { lock }) => {
        lock.assertHeld();
        await vault.forget(instanceId);
        this.#instances.delete(instanceId);
      },
    };
  }
}
