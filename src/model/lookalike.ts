import { confusables } from './confusables.ts';

let known: ReadonlyMap<string, string> | undefined;

/** What stands for each character that looks like another (Unicode Technical Standard 39, section 4). */
function standsFor(): ReadonlyMap<string, string> {
  const characters = (codes: string) =>
    String.fromCodePoint(...codes.split('.').map(code => Number.parseInt(code, 36)));
  known ??= new Map(
    confusables.split(';').flatMap(group => {
      const [target = '', like = ''] = group.split(':');
      return like.split(' ').map(one => [characters(one), characters(target)] as const);
    }),
  );
  return known;
}

/** Without differences in case: also of what has no single small letter, such as ß. */
const folded = (text: string) => Array.from(text.toUpperCase(), character => character.toLowerCase()).join('');

/** The same for texts that look the same: without what is not seen, and with one of all characters that look alike. */
function skeleton(text: string): string {
  const alike = standsFor();
  const seen = text.normalize('NFKD').replace(/\p{Default_Ignorable_Code_Point}/gu, '');
  return Array.from(seen, character => alike.get(character) ?? character)
    .join('')
    .normalize('NFKD')
    .replace(/ +/g, ' ');
}

/** The forms in which a text is compared: as it is, as it looks in small letters, and as it looks as it stands. */
export const looksOf = (text: string): readonly [string, string, string] => [
  folded(text.normalize('NFKC')),
  skeleton(folded(text)),
  folded(skeleton(text)),
];

/** Tells which names people would take for this one (semantics 45). */
export function looksLike(name: string): (other: string) => boolean {
  const looks = looksOf(name);
  return other => looksOf(other).some((look, form) => look === looks[form]);
}
