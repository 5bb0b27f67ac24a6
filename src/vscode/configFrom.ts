import type * as z from 'zod';
import type { ProviderCondition } from '../core/providerDirectory.ts';
import { ProviderConfig, SwarmConfig } from '../model/config.ts';
import { problemsOf } from '../model/problemsOf.ts';
import { ProviderId } from '../model/provider.ts';
import { type SettingField, type SettingRow, settingsTable } from './settingsTable.ts';

/** A setting that can't be used as it is, and why. */
export interface SettingProblem {
  readonly key: string;
  /** In one line, with the field where only a part is wrong. */
  readonly problem: string;
}

/** What the settings come to. */
export interface ReadSettings {
  readonly config: SwarmConfig;
  readonly problems: readonly SettingProblem[];
  /**
   * Entries of the list of providers that name none which can be made, for showing. Nothing may take their place: a
   * provider of that id somewhere else would be believed about instances that it does not have.
   */
  readonly rejected: readonly ProviderCondition[];
}

/**
 * Checks each setting by itself. What is missing in it gets its default, and what is wrong too, unless a slip could lift
 * a restriction: there it gets the strictest value. In a list it is left out. Pure.
 */
export function configFrom(read: (field: SettingField) => unknown): ReadSettings {
  const problems: SettingProblem[] = [];
  const values = settingsTable.map(row => {
    const value = read(row.field);
    if (value === undefined) return [row.field, row.default] as const;
    const { data, error } = row.schema.safeParse(value, { reportInput: true });
    if (!error) return [row.field, data] as const;
    problems.push(...problemsOf(error, '').map(problem => ({ key: row.key, problem })));
    return [row.field, mended(row, value, error)] as const;
  });
  const config = SwarmConfig.parse(nested(values));
  const ids = config.providers.map(({ id }) => id);
  const twice = new Set(ids.filter((id, index) => ids.indexOf(id) !== index));
  for (const id of twice) {
    problems.push({ key: 'remoteSwarm.providers', problem: `two providers are called "${id}"; the first one holds` });
  }
  const providers = config.providers.filter(({ id }, index) => ids.indexOf(id) === index);
  return { config: { ...config, providers }, problems, rejected: rejectedEntries(read('providers'), ids) };
}

function mended(row: SettingRow, value: unknown, error: z.ZodError): unknown {
  const paths = error.issues.flatMap(issue =>
    issue.code === 'unrecognized_keys' ? issue.keys.map(key => [...issue.path, key]) : [issue.path],
  );
  const { default: missing, strictest: wrong = missing } = row;
  const again = row.schema.safeParse(without(value, { missing, wrong }, paths));
  return again.success ? again.data : wrong;
}

/** More rows than these nobody reads. */
const mostRejected = 100;

type Path = readonly PropertyKey[];

/** What stands for a part of a setting that is missing, and for one that is wrong. */
interface StandIns {
  readonly missing: unknown;
  readonly wrong: unknown;
}

/** `value` with its stand-ins at each of the paths, and without what there is none for. */
function without(value: unknown, { missing, wrong }: StandIns, paths: readonly Path[]): unknown {
  if (paths.length === 0) return value;
  if (paths.some(({ length }) => length === 0)) return value === undefined ? missing : wrong;
  if (Array.isArray(value)) return value.filter((_, index) => !paths.some(([first]) => first === index));
  const [given, whenMissing, whenWrong] = [value, missing, wrong].map(part => new Map(entriesOf(part)));
  for (const name of new Set(paths.map(([first]) => String(first)))) {
    const below = paths.filter(([first]) => String(first) === name).map(path => path.slice(1));
    const standIns = { missing: whenMissing?.get(name), wrong: whenWrong?.get(name) };
    if (whenMissing?.has(name)) given?.set(name, without(given.get(name), standIns, below));
    else given?.delete(name);
  }
  return Object.fromEntries(given ?? []);
}

const entriesOf = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];

function rejectedEntries(entries: unknown, taken: readonly string[]): ProviderCondition[] {
  if (!Array.isArray(entries)) return [];
  return entries.slice(0, mostRejected).flatMap((entry: unknown, index): ProviderCondition[] => {
    const { error } = ProviderConfig.safeParse(entry, { reportInput: true });
    if (!error) return [];
    const given = new Map(entriesOf(entry));
    const [id, type] = [ProviderId.safeParse(given.get('id')).data, ProviderId.safeParse(given.get('type')).data];
    return [
      {
        id: id === undefined || taken.includes(id) ? `providers.${index}` : id,
        type: type ?? '',
        reachable: false,
        problem: `Entry ${index} of remoteSwarm.providers is not valid: ${problemsOf(error, 'it').join('; ')}.`,
        hint: 'Correct it in the settings; entries are counted from 0.',
      },
    ];
  });
}

/** `['health.enabled', true]` becomes `{ health: { enabled: true } }`; all groups are there, whatever is in them. */
function nested(values: readonly (readonly [SettingField, unknown])[]): Record<string, unknown> {
  const group = (name: 'health' | 'migration' | 'snapshots') =>
    Object.fromEntries(
      values.flatMap(([field, value]) => (field.startsWith(`${name}.`) ? [[field.slice(name.length + 1), value]] : [])),
    );
  const others = values.filter(([field]) => !field.includes('.'));
  const groups = { health: group('health'), migration: group('migration'), snapshots: group('snapshots') };
  return { ...Object.fromEntries(others), ...groups };
}
