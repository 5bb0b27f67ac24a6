import { SwarmError } from '../model/errors.ts';

/**
 * What a person who writes an instance by hand starts from: every field, with a value that can be kept. `limits`: whether
 * every provider can limit resources; elsewhere they would be refused.
 */
export function instanceTemplate(name: string, limits: boolean): string {
  const template = {
    name,
    provider: '',
    source: { kind: 'git', url: 'https://github.com/owner/repository', ref: 'main' },
    ...(limits && { resources: { cpuCores: 2, memoryMb: 4096 } }),
    env: {},
    ports: [],
    extensions: [],
    metadata: {},
  };
  return `${JSON.stringify(template, null, 2)}\n`;
}

/** The text as the input of `create_swarm_instance`: an empty provider means "choose for me". Throws `SyntaxError`. */
export function parseInstanceText(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('provider' in value) || value.provider !== '') return value;
  const { provider: _, ...rest } = value;
  return rest;
}

/** What is wrong with the document, also in the words of the wizard, which calls `metadata` labels. */
export function inWizardWords(error: unknown): unknown {
  if (!(error instanceof SwarmError) || error.code !== 'invalid-input') return error;
  const message = error.message
    .replaceAll(/(?<=[:;] )labels: is no known field/g, 'labels: is no known field, they are called metadata')
    .replaceAll(/(?<=[:;] )metadata\b/g, 'metadata (labels)');
  const { family, code, hint, retryable } = error;
  return new SwarmError({ family, code, message, retryable, cause: error, ...(hint !== undefined && { hint }) });
}
