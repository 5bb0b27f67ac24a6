import type * as vscode from 'vscode';
import * as z from 'zod';
import type { SecretVault } from '../model/stateStore.ts';

/** Values of secret variables, in the editor's secret storage and nowhere else on this side (semantics 35). */
export class InstanceSecrets implements SecretVault {
  readonly #storage: vscode.SecretStorage;

  constructor(storage: vscode.SecretStorage) {
    this.#storage = storage;
  }

  async read(instanceId: string): Promise<Record<string, string>> {
    return valuesIn((await this.#storage.get(keyOf(instanceId))) ?? '{}');
  }

  async store(instanceId: string, secrets: Readonly<Record<string, string>>): Promise<void> {
    if (Object.keys(secrets).length === 0) await this.forget(instanceId);
    else await this.#storage.store(keyOf(instanceId), JSON.stringify(secrets));
  }

  async forget(instanceId: string): Promise<void> {
    await this.#storage.delete(keyOf(instanceId));
  }
}

const Values = z.record(z.string(), z.string());

/** None where they cannot be read: whoever needs one says which is missing, and nothing of the text gets into an error. */
function valuesIn(text: string): Record<string, string> {
  try {
    return Values.parse(JSON.parse(text));
  } catch {
    return {};
  }
}

const keyOf = (instanceId: string) => `env/${instanceId}`;
