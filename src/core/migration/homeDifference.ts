import type { HomeChange, HomeDifference, HomeEntry } from '../../model/homeArchive.ts';
import { editorFolder, orderOf } from '../../model/homeEntries.ts';

/** How many changes are named. */
const mostNamed = 1_000;

/** Both in one order. Times and owners are no difference, nor are folders that differ only in what is in them. */
export async function differenceOf(
  here: AsyncIterable<HomeEntry>,
  there: AsyncIterable<HomeEntry>,
): Promise<HomeDifference> {
  const [work, editor]: [HomeChange[], HomeChange[]] = [[], []];
  let count = 0;
  const note = (what: HomeChange['what'], { path, size }: HomeEntry) => {
    count += 1;
    const changes = path.startsWith(`${editorFolder}/`) ? editor : work;
    if (changes.length < mostNamed) changes.push({ path: Buffer.from(path, 'latin1').toString(), what, bytes: size });
  };
  const [ours, theirs] = [here[Symbol.asyncIterator](), there[Symbol.asyncIterator]()];
  let [mine, other] = await Promise.all([ours.next(), theirs.next()]);
  while (!mine.done || !other.done) {
    const [at, otherAt] = [placeOf(mine), placeOf(other)];
    if (!mine.done && (otherAt === undefined || (at !== undefined && at < otherAt))) {
      note('only-here', mine.value);
      mine = await ours.next();
    } else if (!other.done && (at === undefined || (otherAt !== undefined && otherAt < at))) {
      note('only-there', other.value);
      other = await theirs.next();
    } else if (!mine.done && !other.done) {
      if (contentOf(mine.value) !== contentOf(other.value)) note('changed', other.value);
      [mine, other] = await Promise.all([ours.next(), theirs.next()]);
    }
  }
  return { count, changes: [...work, ...editor].slice(0, mostNamed) };
}

const placeOf = ({ done, value }: IteratorResult<HomeEntry>) => (done ? undefined : orderOf(value.path));

const contentOf = ({ type, mode, size, target, sha }: HomeEntry) =>
  JSON.stringify(type === 'f' ? [type, mode, size, sha] : [type, mode, target]);
