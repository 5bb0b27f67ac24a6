import { SwarmConfig } from '../model/config.ts';
import { settingsTable } from './settingsTable.ts';

/** A setting that can't be used, and why. */
export interface SettingProblem {
  readonly key: string;
  readonly problem: string;
}

/** Checks each setting by itself; what is missing or invalid gets its default. Pure. */
export function configFrom(read: (field: keyof SwarmConfig) => unknown): {
  config: SwarmConfig;
  problems: SettingProblem[];
} {
  const problems: SettingProblem[] = [];
  const values = settingsTable.map(row => {
    const value = read(row.field);
    if (value === undefined) return [row.field, row.default] as const;
    const parsed = row.schema.safeParse(value);
    if (parsed.success) return [row.field, parsed.data] as const;
    const [issue] = parsed.error.issues;
    const where = issue && issue.path.length > 0 ? `${issue.path.join('.')}: ` : '';
    problems.push({ key: row.key, problem: `${where}${issue?.message ?? ''}` });
    return [row.field, row.default] as const;
  });
  const config = SwarmConfig.parse(Object.fromEntries(values));
  const ids = config.providers.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice === undefined) return { config, problems };
  problems.push({ key: 'remoteSwarm.providers', problem: `two providers are called "${twice}"` });
  return {
    config: { ...config, providers: config.providers.filter(({ id }, index) => ids.indexOf(id) === index) },
    problems,
  };
}
