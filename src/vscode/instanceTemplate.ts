/** What a person who writes an instance by hand starts from: every field, with a value that can be kept. */
export function instanceTemplate(name: string): string {
  const template = {
    name,
    provider: '',
    source: { kind: 'git', url: 'https://github.com/owner/repository', ref: 'main' },
    resources: { cpuCores: 2, memoryMb: 4096 },
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
