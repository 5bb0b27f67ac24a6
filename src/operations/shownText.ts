import { cut, visible } from '../model/textCut.ts';
import type { Translate } from './translate.ts';

/** Characters of a value that fit on its line. */
const mostOfValue = 160;
/** Characters of a text that are shown at each end of it; most texts are shown whole. */
const mostOfEnd = 1_500;
/** Characters of one line, and lines, that are shown at each end. */
const mostOfLine = 400;
const linesOfEnd = 20;

/** A value on one line, in quotes: what a screen hides is made visible, and what does not fit is counted. */
export function shownValue(t: Translate, value: string): string {
  const line = counted(visible(value).replaceAll('\n', '⏎').replaceAll('\t', '⇥'));
  const rest = line.length > mostOfValue ? ` ${t('({0} characters)', value.length)}` : '';
  return `"${cut(line, mostOfValue)}"${rest}`;
}

/**
 * A text of several lines: empty lines and blanks in a row are counted, what a screen hides is made visible. Of one that
 * is long the beginning and the end are shown, with how much is left out between: what comes last is never out of sight.
 */
export function shownText(t: Translate, text: string): string {
  const lines = folded(visible(text).split('\n')).map(line => counted(line.replaceAll('\t', '⇥')));
  const [head, tail] = [ends(lines, linesOfEnd), ends(lines.toReversed(), linesOfEnd).reverse()];
  if (lines.length <= 2 * linesOfEnd && lines.every(line => line.length <= mostOfLine) && sum(lines) <= 2 * mostOfEnd)
    return lines.join('\n');
  if (lines.length <= 1) return shortLine(t, lines[0] ?? '');
  const shown = head.length + tail.length;
  if (shown >= lines.length) return lines.map(line => shortLine(t, line)).join('\n');
  const left = lines.slice(head.length, lines.length - tail.length);
  const note = t('… {0} characters in {1} lines are not shown here …', sum(left), left.length);
  return [...head.map(line => shortLine(t, line)), note, ...tail.map(line => shortLine(t, line))].join('\n');
}

/** How long a text is, for a line above it. */
export const sizeLine = (t: Translate, text: string): string =>
  t('{0} characters in {1} lines:', text.length, text.split('\n').length);

const sum = (lines: readonly string[]) => lines.reduce((total, { length }) => total + length + 1, 0);

/** The first lines, as many as fit. */
function ends(lines: readonly string[], most: number): string[] {
  let room = mostOfEnd;
  const fit = lines.slice(0, most).findIndex(line => {
    room -= Math.min(line.length, mostOfLine);
    return room < 0;
  });
  return lines.slice(0, fit < 0 ? most : Math.max(1, fit));
}

/** The two ends of a long line. */
function shortLine(t: Translate, line: string): string {
  if (line.length <= mostOfLine) return line;
  const characters = Array.from(line);
  const half = mostOfLine / 2;
  const left = characters.length - 2 * half;
  if (left <= 0) return line;
  const note = t('… {0} characters are not shown here …', left);
  return `${characters.slice(0, half).join('')} ${note} ${characters.slice(-half).join('')}`;
}

/** Three empty lines or more in a row become one that counts them. */
function folded(lines: readonly string[]): string[] {
  const out: string[] = [];
  let empty: string[] = [];
  const flush = () => {
    out.push(...(empty.length > 2 ? [`⏎ ×${empty.length}`] : empty));
    empty = [];
  };
  for (const line of lines) {
    if (line.trim() === '') empty.push(line);
    else {
      flush();
      out.push(line);
    }
  }
  flush();
  return out;
}

/** Many blanks, or line breaks, in a row become one that counts them. */
const counted = (line: string) =>
  line.replace(/ {12,}|⏎{3,}|⇥{6,}/g, run => `${run[0] === ' ' ? ' ␠' : run[0]}×${run.length} `);
