import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shellWord } from '../../../../src/providers/shellWord.ts';
import { forAnyShell } from '../../../../src/providers/ssh/forAnyShell.ts';

const shells = ['sh', 'bash', 'dash', 'zsh', 'tcsh', 'bsd-csh', 'fish'];
const odd = `it's "a" \\ ! !! $HOME \`id\` %s %% \\n \\' \\\\ ~ {a,b} [x] * ? # ; & | < > ( ) ^ = äöü\n\ttwo\r!$`;

describe.each(shells)('%s as login shell', shell => {
  // Some complain of a language that this machine does not have, and csh of a home with brackets in its name.
  const env = { ...process.env, LANG: 'C', HOME: '/' };
  const isHere = spawnSync(shell, ['-c', 'exit 0'], { env }).status === 0;
  test.skipIf(!isHere)('hands on what it is given', () => {
    const script = `printf %s ${shellWord(odd)}; exit 7`;
    const { status, stdout, stderr } = spawnSync(shell, ['-c', forAnyShell(script)], { env, encoding: 'utf8' });
    expect({ status, stdout, stderr }).toEqual({ status: 7, stdout: odd, stderr: '' });
  });
});

test('a word never holds what a shell would take for something else, nor more than a small shell takes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 700 }), script => {
      const words = forAnyShell(script).split("'").slice(3);
      expect(words.join('')).toMatch(/^[\w ,./:;=@+\\-]*$/);
      expect(Math.max(...words.map(word => word.length))).toBeLessThanOrEqual(500);
    }),
    { numRuns: 50 },
  );
});

test.skipIf(process.platform === 'win32')('any text arrives as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), text => {
      fc.pre(!text.includes('\0'));
      const command = forAnyShell(`printf %s ${shellWord(text)}`);
      expect(execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' })).toBe(text);
    }),
    { numRuns: 20 },
  );
});
