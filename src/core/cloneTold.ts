import { onOneLine } from '../model/textCut.ts';

/** What a clone has to say of itself beside that it is there. */
export interface CloneTold {
  /** What it lacks. */
  readonly problems: readonly string[];
  /** What is otherwise than one would think. */
  readonly notes: readonly string[];
}

/** How many of a kind are told one by one. */
const most = 5;

/** Reads what `cloneScript` writes of a clone: a line each, of a word and what belongs to it. */
export function toldOf(stdout: string, silence: number): CloneTold {
  const lines = stdout.split('\n').map(line => line.split('\t'));
  const problems = lines.flatMap(([kind = '', ...about]) => problemOf(kind, about, silence));
  const submodules = lines.filter(([kind]) => kind === 'submodule');
  const more = submodules.length - most;
  const left = submodules.slice(0, most).map(([, name = '', reason = '']) => {
    return `Submodule ${name} is empty: ${inWords(reason, silence)}. ${update}`;
  });
  if (more > 0) left.push(`${more} more submodules are empty. ${update}`);
  const notes = lines.flatMap(([kind, missing, branch]) =>
    kind === 'only'
      ? [`The default branch "${missing}" is not there; its only branch, "${branch}", was checked out.`]
      : [],
  );
  return { problems: [...problems, ...left], notes };
}

const update = 'Run "git submodule update --init --recursive" in the instance when that is mended.';

function problemOf(kind: string, [first = '', second = '', third = '']: readonly string[], silence: number): string[] {
  const files = `${first} large ${first === '1' ? 'file is only a pointer' : 'files are only pointers'}${second === '' ? '' : ` in ${second}`}`;
  switch (kind) {
    case 'ref': {
      const instead = third === '' ? 'Nothing was checked out' : `"${third}" was checked out instead`;
      const isMissing = /couldn't find remote ref|not our ref|pathspec|no such ref|unadvertised/i.test(second);
      const why = isMissing
        ? `The repository has no branch, tag or commit "${first}".`
        : `"${first}" could not be checked out: ${inWords(second, silence)}.`;
      return [`${why} ${instead}; run "git switch" with another branch in the instance.`];
    }
    case 'default':
      return [
        `The default branch "${first}" of the repository is not there, so nothing was checked out. It has ${listed(second)}. Run "git switch" with one of them in the instance.`,
      ];
    case 'absent':
      return [
        `${files}: git-lfs is not in this instance. Install it, as by "apt-get install git-lfs", and run "git lfs install && git lfs pull" there.`,
      ];
    case 'large':
      return [`${files}: ${inWords(third, silence)}. Run "git lfs pull" in the instance when that is mended.`];
    default:
      return [];
  }
}

const listed = (names: string) => {
  const all = names.split(' ').map(name => `"${name}"`);
  return `${all.slice(0, most).join(', ')}${all.length > most ? ` and ${all.length - most} more` : ''}`;
};

/** What git said, or what we know better. */
function inWords(reason: string, silence: number): string {
  if (reason === 'silent') return `nothing came for ${silence} seconds`;
  if (reason === 'wanted') return 'it is private, or is not there, and no credential of yours opens it';
  const [, refused] = /transport '([^']*)' not allowed/.exec(reason) ?? [];
  if (refused !== undefined)
    return `it is reached by ${refused}, and only what the repository itself is reached by is used`;
  const useful = usefulLines(reason.replaceAll('\u001f', '\n')).replace(/\.$/, '');
  return onOneLine(useful, 300) || 'git said nothing of why';
}

/** The last three lines up to the last one that says it is an error, as git does: what follows those is advice. */
export function usefulLines(text: string): string {
  const lines = text.split('\n').filter(line => line.trim() !== '');
  const last = lines.findLastIndex(line => /^(fatal|error):/.test(line));
  return (last < 0 ? lines : lines.slice(0, last + 1)).slice(-3).join(' ').slice(-500);
}
