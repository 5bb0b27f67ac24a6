import type { Snapshot } from '../../model/snapshot.ts';

/** Kept of each kind, of what was kept by itself and of the rest, of each instance; the oldest go when there are more. */
const mostKept = 10;
/** Of what was kept before an act, the first one of so many days stays as well: acts in a row push out only each other. */
const daysKept = 7;
/** Days are of observed time, which no clock that is set changes. */
const day = 86_400_000;

export const kindOf = ({ kind = 'taken' }: Pick<Snapshot, 'kind'>) => kind;

/** What was kept before acts of persons is not pushed out by what was kept before others. */
const queueOf = (snapshot: Snapshot) => `${kindOf(snapshot)}${snapshot.automatic ? ' by itself' : ''}`;

/** Pure: ids of those that are too many, of one instance's, the youngest first (semantics 43). */
export const superfluous = (snapshots: readonly Snapshot[]): string[] =>
  [...Map.groupBy(snapshots, queueOf).values()].flatMap(queue => {
    const spared = firstOfDays(queue.filter(snapshot => kindOf(snapshot) === 'before'));
    return tooMany(queue).filter(id => !spared.has(id));
  });

/** Before the others go those after which nothing had changed. */
function tooMany(snapshots: readonly Snapshot[]): string[] {
  const oldest = snapshots.toReversed();
  const again = oldest.filter(({ digest }, index) => digest === oldest[index + 1]?.digest);
  const ids = new Set([...again, ...oldest].map(({ id }) => id));
  return [...ids].slice(0, Math.max(0, snapshots.length - mostKept));
}

function firstOfDays(snapshots: readonly Snapshot[]): Set<string> {
  const days = Map.groupBy(snapshots, dayOf);
  const youngest = [...days.keys()].sort((a, b) => a - b).slice(-daysKept);
  return new Set(youngest.flatMap(each => days.get(each)?.at(-1)?.id ?? []));
}

/** What is not counted yet was kept just now. */
const dayOf = ({ keptSince = Number.POSITIVE_INFINITY }: Snapshot) => Math.floor(keptSince / day);
