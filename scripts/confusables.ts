// `node scripts/confusables.ts <confusables.txt>` writes src/model/confusables.ts from Unicode's list of characters that
// look alike: https://www.unicode.org/Public/security/latest/confusables.txt
import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

const [source] = process.argv.slice(2);
if (source === undefined) {
  console.error('Usage: node scripts/confusables.ts <confusables.txt>');
  process.exit(2);
}

const characters = (codes: string) =>
  String.fromCodePoint(
    ...codes
      .trim()
      .split(/\s+/)
      .map(code => Number.parseInt(code, 16)),
  );
const inBase36 = (text: string) => Array.from(text, character => character.codePointAt(0)?.toString(36)).join('.');

const alike = new Map<string, string[]>();
for (const line of readFileSync(source, 'utf8')
  .replace(/^\uFEFF/, '')
  .split('\n')) {
  const [from = '', to = ''] = (line.split('#', 1)[0] ?? '').split(';');
  if (to.trim() === '') continue;
  const [character, target] = [characters(from), characters(to)];
  // A name holds letters, marks and digits, and is normalized before it is looked at.
  if (!/^[\p{L}\p{M}\p{N}]$/u.test(character) || character.normalize('NFKD') !== character) continue;
  if (/^\p{Default_Ignorable_Code_Point}$/u.test(character)) continue;
  alike.set(target, [...(alike.get(target) ?? []), character]);
}
const groups = [...alike].map(([target, like]) => `${inBase36(target)}:${like.sort().map(inBase36).join(' ')}`);
const text = `/*!
 * Characters that look alike, from Unicode's confusables.txt. Copyright Unicode, Inc.; see https://www.unicode.org/license.txt.
 * Written by scripts/confusables.ts.
 */
/** \`<what stands for all of them>:<characters that look like it>\`, code points in base 36. */
export const confusables =
  // biome-ignore format: a list that nobody reads
  '${groups.sort().join(';')}';
`;
writeFileSync(path.resolve(import.meta.dirname, '../src/model/confusables.ts'), text);
