import { type Asker, isProgram } from '../model/caller.ts';
import type { InstanceConfig, InstanceRecord } from '../model/instance.ts';
import { isSame } from './isSame.ts';
import { ownChanges } from './ownChanges.ts';
import { timestamp } from './records.ts';

/** Milliseconds for which a name that an instance had is told. */
const renameTold = 86_400_000;
/** Former names that are kept: the oldest, and the latest. */
const mostNames = 5;

/** The record with what is wanted of it now, by whom, and how persons alone would have it (semantics 45). */
export function withWanted(
  record: InstanceRecord,
  change: (config: InstanceConfig) => InstanceConfig,
  by: Asker,
  now = Date.now(),
): InstanceRecord & { wanted: InstanceConfig } {
  const { beforeAgents, renamed, ...rest } = record;
  const before = record.wanted ?? record.config;
  const wanted = change(before);
  // What a person does holds beside what agents did; what an agent does leaves it as it is.
  const persons = beforeAgents?.config ?? before;
  const byPersons = isProgram(by.caller) ? persons : ownChanges(persons, before, wanted, change(persons));
  const names = namesBefore(record, wanted.name, by, now);
  return {
    ...rest,
    wanted,
    ...(names && { renamed: names }),
    ...(!isSame(byPersons, wanted) && {
      beforeAgents: { ...(beforeAgents ?? { at: timestamp(), by }), config: byPersons },
    }),
  };
}

/** Images that persons chose which are kept: enough to go back to what it was. */
const mostImages = 5;

/** The record of which a person has named the image: theirs to pull, and to be had as it is now. */
export function withImageNamed(record: InstanceRecord): InstanceRecord {
  const { image } = record.wanted ?? record.config;
  const others = (record.personsImages ?? []).filter(other => other !== image);
  return {
    ...record,
    renewsImage: true,
    ...(image !== undefined && { personsImages: [...others, image].slice(-mostImages) }),
  };
}

/** Its last change of name, while that is to be told. */
export const lastRename = ({ renamed }: InstanceRecord, now = Date.now()): InstanceRecord['renamed'] =>
  renamed !== undefined && now - Date.parse(renamed.at) < renameTold ? renamed : undefined;

function namesBefore(record: InstanceRecord, name: string, by: Asker, now: number): InstanceRecord['renamed'] {
  const { wanted, config } = record;
  const before = (wanted ?? config).name;
  const recent = lastRename(record, now);
  if (name === before) return recent;
  const [oldest = before, ...later] = [...(recent?.from ?? []).filter(one => one !== before), before];
  return { from: [oldest, ...later.slice(1 - mostNames)], at: new Date(now).toISOString(), by };
}

/** What undoing the changes of agents would make of it; undefined when there are none. */
export function configBeforeAgents({ beforeAgents, wanted, config }: InstanceRecord): InstanceConfig | undefined {
  return beforeAgents === undefined || isSame(beforeAgents.config, wanted ?? config) ? undefined : beforeAgents.config;
}

/** Names of secret variables whose values must not be forgotten. */
export const secretNames = ({ beforeAgents, wanted, config }: InstanceRecord): string[] => [
  ...new Set([...config.secretEnv, ...(wanted?.secretEnv ?? []), ...(beforeAgents?.config.secretEnv ?? [])]),
];
