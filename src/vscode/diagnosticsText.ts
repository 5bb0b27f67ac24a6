import type { InstanceRecord } from '../model/instance.ts';
import type { SwarmStatus } from '../model/swarmStatus.ts';

/** What the diagnostics are made from. */
export interface DiagnosticsFacts {
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly status: SwarmStatus | undefined;
  readonly records: readonly InstanceRecord[];
  /** Why there is no status. */
  readonly problem: string | undefined;
  /** Last lines of our own log. */
  readonly log: string;
}

const secretName = /token|secret|password|passphrase|credential|key$|cert$/i;

/** A copy in which nothing that is called like a secret, and no address's user or token, is left. */
export function redacted(value: unknown): unknown {
  if (typeof value === 'string') return redactedText(value);
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, secretName.test(name) && inner ? '***' : redacted(inner)]),
  );
}

/** Texts keep their words, but lose tokens and passwords inside addresses, and tokens named as such. */
export const redactedText = (text: string) =>
  text
    .replace(/([?&](?:tkn|token|access_token)=)[^&\s"']+/gi, '$1***')
    .replace(/:\/\/[^/\s@]+@/g, '://***@')
    .replace(/\b(?:gh[pousr]_|github_pat_)\w{8,}/g, '***')
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, '$1 ***');

/** Markdown that can be put into a public bug report: names of instances and variables are kept, values are not. */
export function diagnosticsText(facts: DiagnosticsFacts): string {
  const json = (value: unknown) => `\`\`\`json\n${JSON.stringify(redacted(value), null, 2)}\n\`\`\``;
  const records = facts.records.map(
    ({ id, config, status, desired, providerId, detail, error, setup, statusSince }) => ({
      id,
      name: config.name,
      providerId,
      status,
      desired,
      statusSince,
      detail,
      error,
      setup,
      source: config.source.kind,
      variables: [...Object.keys(config.env), ...config.secretEnv],
    }),
  );
  return [
    '# Remote Swarm: diagnostics',
    'Secrets were taken out. Read it through before you give it to anybody.',
    '## Versions',
    json(facts.versions),
    '## Settings',
    json(facts.settings),
    '## Swarm',
    facts.status ? json(facts.status) : (facts.problem ?? 'It was not started.'),
    `## Instances (${records.length})`,
    json(records),
    '## Log',
    `\`\`\`\n${redactedText(facts.log).replaceAll('```', "'''")}\n\`\`\``,
    '',
  ].join('\n\n');
}
