import { globSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript5';
import { describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const long = process.env.REMOTE_SWARM_SOAK === '1';

/** Every regular expression in a file: literals, and what is given to `RegExp`, with a word for each value put into it. */
function expressionsIn(file: string): [at: string, expression: RegExp][] {
  const tree = ts.createSourceFile(file, readFileSync(path.join(root, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const found: [string, RegExp][] = [];
  const add = (node: ts.Node, source: string, flags: string) => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    found.push([`${file}:${line} /${source}/${flags}`, new RegExp(source, flags)]);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      add(node, node.text.slice(1, end), node.text.slice(end + 1));
    } else if ((ts.isNewExpression(node) || ts.isCallExpression(node)) && node.expression.getText() === 'RegExp') {
      add(node, textOf(node.arguments?.[0]), '');
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function textOf(argument: ts.Expression | undefined): string {
  if (argument && ts.isStringLiteralLike(argument)) return argument.text;
  if (!argument || !ts.isTemplateExpression(argument)) throw new Error(`It can't be read: ${argument?.getText()}`);
  return argument.head.text + argument.templateSpans.map(({ literal }) => `word${literal.text}`).join('');
}

/** What an expression is tried on, again and again: characters that it tells apart, pairs of them, and its own words. */
function piecesOf({ source }: RegExp): { readonly words: string[]; readonly pieces: string[] } {
  const plain = source.replace(/\\([^A-Za-z0-9])/g, '$1');
  const words = [...new Set(source.match(/(?:\\[^A-Za-z0-9]|[^\\()[\]{}.*+?|^$])+/g) ?? [])]
    .map(word => word.replace(/\\(.)/g, '$1'))
    .filter(word => word.length > 1);
  const singles = [...new Set([...plain.replace(/[A-Za-z0-9]/g, ''), ...'aZ0 \n'])];
  const pairs = singles.flatMap(one => singles.map(other => one + other));
  const joined = words.flatMap(word => [...singles, ...words].map(next => word + next));
  return { words, pieces: [...singles, ...pairs, ...words, ...joined] };
}

/** Characters; and milliseconds, of which what takes time in line with the length needs a hundredth. */
const [few, lengths, suspicious] = [20, [400, 6_000, 16_000], 4];

/** The least of some times, unless the first is unsuspicious. */
function millisecondsOf(expression: RegExp, text: string, times: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < times && least >= suspicious; time++) {
    const begin = performance.now();
    text.replace(expression, '');
    least = Math.min(least, performance.now() - begin);
  }
  return least;
}

/** A text on which the expression takes far more than twice as long for twice the length; undefined when none was found. */
function attackOn(expression: RegExp): string | undefined {
  const all = new RegExp(expression.source, [...new Set([...expression.flags, 'g'])].join(''));
  const { words, pieces } = piecesOf(expression);
  const ends = long ? ['', '\n', '\0', 'a', '!'] : ['\0\n'];
  for (const begin of ['', ...words]) {
    for (const piece of pieces) {
      for (const end of ends) {
        const text = (length: number) => begin + piece.repeat(length / piece.length) + end;
        const isEndless = millisecondsOf(all, text(few), 3) >= suspicious;
        const isSlow = (length: number) => {
          const once = millisecondsOf(all, text(length), 3);
          return once >= suspicious && millisecondsOf(all, text(2 * length), 3) > 3 * once;
        };
        if (isEndless || lengths.some(isSlow)) return JSON.stringify([begin, piece, end]);
      }
    }
  }
  return undefined;
}

const files = [...globSync('src/**/*.ts', { cwd: root }), ...globSync('media/instance/*.mjs', { cwd: root })];
const expressions = new Map(files.flatMap(expressionsIn));

describe('what takes more than linear time is found', () => {
  test.each([
    /\s+$/,
    /^(a+)+$/,
    /^(\w+\s?)*:$/,
    /mount source .*: no such file/s,
    /manifest (unknown|for .* not found)|no such image/i,
    /<!--.*-->/s,
  ])('%s', expression => {
    expect(attackOn(expression)).toBeDefined();
  });
});

test('no regular expression takes more than linear time', { timeout: 120_000 }, () => {
  expect(expressions.size).toBeGreaterThan(150);
  const attacked = [...expressions].flatMap(([at, expression]) => {
    const attack = attackOn(expression);
    return attack === undefined ? [] : [`${at}: ${attack}`];
  });
  expect(attacked).toEqual([]);
});
