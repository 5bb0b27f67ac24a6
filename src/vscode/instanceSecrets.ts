import type * as vscode from 'vscode';
import type { SecretVault } from '../model/stateStore.ts';

/** Values of secret variables, in the editor's secret storage and nowhere else on this side (semantics 35). */
export class InstanceSecrets implements SecretVault {
  readonly #storage: vscode.SecretStorage;

  constructor(storage: vscode.SecretStorage) {
    this.#storage = storage;
  }

  async read(instanceId: string): Promise<Record<string, string>> {
    return JSON.parse((await this.#storage.get(keyOf(instanceId))) ?? '{}');
  }

  async store(instanceId: string, secrets: Readonly<Record<string, string>>): Promise<void> {
    if (Object.keys(secrets).length === 0) await this.forget(instanceId);
    else await this.#storage.store(keyOf(instanceId), JSON.stringify(secrets));
  }

  async forget(instanceId: string): Promise<void> {
    await this.#storage.delete(keyOf(instanceId));
  }
}

const keyOf = (instanceId: string) => `env/${instanceId}`;
