import { randomBytes } from 'node:crypto';
import * as process from 'node:process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SecretMasks } from '../../../src/core/secretMasks.ts';
import { SwarmError } from '../../../src/model/errors.ts';

const token = 'gho_16C7e42F292c6912E7710c838347Ae178B4a';
function knowing(...values: string[]) {
  const masks = new SecretMasks();
  masks.learnOf('one', values);
  return masks.of('one');
}

describe('what is masked', () => {
  test.each([
    ['the value', token],
    ['between other text', `a=${token};b`],
    ['its base64', Buffer.from(token).toString('base64')],
    ['base64 of a header with it', Buffer.from(`x-access-token:${token}`).toString('base64')],
    ['base64 of a line with it', Buffer.from(`KEY=${token}\n`).toString('base64')],
    ['base64 in addresses', Buffer.from(`ab${token}`).toString('base64url')],
    ['hex', Buffer.from(token).toString('hex')],
  ])('%s', (_, text) => {
    const told = knowing(token).text(text);
    expect(told).toContain('***');
    for (let from = 0; from + 8 <= token.length; from++) {
      const part = token.slice(from, from + 8);
      for (const form of [part, Buffer.from(part).toString('hex')]) expect(told).not.toContain(form);
    }
  });

  test('base64 leaves at most the characters that others decide too', () => {
    for (let before = 0; before < 6; before++) {
      const text = Buffer.from(`${'#'.repeat(before)}${token}##`).toString('base64');
      expect(knowing(token).text(text)).toMatch(/^[\w+/]{0,9}\*\*\*[\w+/]{0,4}=*$/);
    }
  });

  test('a value of strange characters in addresses and JSON', () => {
    const value = 'p&ß "w"/\\ü?=+ ☃';
    const mask = knowing(value);
    expect(mask.text(`https://h/?k=${encodeURIComponent(value)}&x`)).toBe('https://h/?k=***&x');
    expect(mask.text(new URLSearchParams({ k: value }).toString())).not.toContain('%22w%22');
    expect(mask.text(JSON.stringify({ value }))).toBe('{"value":"***"}');
  });

  test('each line of a value of several, however they are ended', () => {
    const key = `-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n  hkiG9w0BAQEFAASC\n-----END KEY-----\n`;
    const mask = knowing(key);
    expect(mask.text(key)).toBe('***\n***\n  ***\n***\n');
    expect(mask.text('found hkiG9w0BAQEFAASC')).toBe('found ***');
    expect(mask.text(JSON.stringify(key))).not.toContain('MIIEvQ');
    expect(mask.text(Buffer.from(key).toString('base64'))).toMatch(/^\*\*\*.?=*$/);
  });

  test('a very long value, as a whole and in its pieces', () => {
    const value = Array.from({ length: 9_000 }, (_, index) => (index * 7919).toString(36)).join('');
    const mask = knowing(value);
    expect(mask.text(`a${value}b`)).toBe('a***b');
    expect(mask.text('nothing of it')).toBe('nothing of it');
  });

  test('nothing for a value that is too short to be told from other text', () => {
    const mask = knowing('', 'a', 'on', 'abc', '\n\n', ' x ');
    expect(mask.text('abc on a x')).toBe('abc on a x');
  });

  test.each([60, 64, 76])('what is longer than a line of %d characters in base64 and hex', width => {
    const long = `github_pat_${token}_${token}`;
    for (const before of ['', 'a', 'KEY=', 'x'.repeat(50)]) {
      for (const [coding, end] of [['base64', '\n'] as const, ['base64', '\r\n'] as const, ['hex', '\n'] as const]) {
        const whole = Buffer.from(`${before}${long}`).toString(coding);
        const broken = (whole.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).join(end);
        const told = knowing(long).text(`$ print\n${broken}\n$`);
        expect(told.split('\n').length).toBe(broken.split('\n').length + 2);
        const left = Buffer.from(
          told
            .split('\n')
            .slice(1, -1)
            .join('')
            .replaceAll(/[^\w+/=]/g, ''),
          coding,
        ).toString();
        for (let from = 0; from + 6 <= long.length; from++) expect(left).not.toContain(long.slice(from, from + 6));
      }
    }
  });

  test('short values are not looked for across lines', () => {
    expect(knowing('4711').text('47\n11')).toBe('47\n11');
  });

  test('what a cut may have parted is left out, and whatever it is as much of it', () => {
    const mask = knowing(token, 'x'.repeat(1_000));
    const length = (end: string) => mask.text(`${'-'.repeat(9_000)}${end}`, true).length;
    const other = token.replaceAll(/\w/g, 'y');
    for (let part = 0; part < token.length; part++) {
      const text = `${'-'.repeat(9_000)}${token.slice(0, part)}`;
      expect(mask.text(text, true)).toMatch(/^-+$/);
      expect(length(token.slice(0, part))).toBe(length(other.slice(0, part)));
    }
    expect(mask.text(`${'-'.repeat(5)}${token}${'-'.repeat(2_030)}`, true)).toBe('-----***');
    expect(mask.text(token.slice(0, 20), true)).toBe('');
    expect(mask.text(token.slice(0, 20))).toBe(token.slice(0, 20));
  });

  test('texts deep in a value, and in an error with what caused it', () => {
    const mask = knowing(token);
    expect(mask.value({ a: [token, { b: `x${token}` }], n: 1, z: null, u: undefined })).toEqual({
      ...{ a: ['***', { b: 'x***' }], n: 1, z: null, u: undefined },
    });
    const cause = new Error(`it said ${token}`);
    const error = new SwarmError({ family: 'provider', code: 'x', message: token, hint: `Not ${token}.`, cause });
    const told = mask.error(error);
    expect(told).toMatchObject({ family: 'provider', code: 'x', message: '***', hint: 'Not ***.' });
    expect(`${told.stack}${(told.cause as Error).message}${(told.cause as Error).stack}`).not.toContain(token);
    const clean = new SwarmError({ family: 'provider', code: 'x', message: 'no', hint: 'h' });
    expect(mask.error(clean)).toBe(clean);
  });

  test('all that an instance has, however much it is', () => {
    const file = Array.from({ length: 400 }, (_, line) => `line ${line} of a file ${'x'.repeat(60)}`).join('\n');
    const mask = knowing(token, file, ...Array.from({ length: 60 }, (_, index) => `${index}-${'y'.repeat(1_000)}`));
    expect(mask.text(`a ${token} b`)).toBe('a *** b');
    expect(mask.text(file.slice(0, 900))).toMatch(/^(\*\*\*\n)+line 11/);
  });
});

describe('by whose a secret is', () => {
  const masks = new SecretMasks();
  masks.learnOf('one', [token]);
  masks.learnOf('other', ['4711', 'running']);
  masks.learn('ghs_credential-of-this-window');
  masks.learn('short');

  test('it is masked in what that instance says, not in what others do', () => {
    const text = `${token} 4711 running ghs_credential-of-this-window short`;
    expect(masks.of('one').text(text)).toBe('*** 4711 running *** short');
    expect(masks.of('other').text(text)).toBe(`${token} *** *** *** short`);
    expect(masks.of().text(text)).toBe(`${token} 4711 running *** short`);
    expect(masks.all().text(text)).toBe('*** *** *** *** short');
  });
});

describe('any text', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'ab', 'aa'), minLength: 4, maxLength: 9 });

  test('shows of the secrets in it what a search for each alone would leave', () => {
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 5 }),
        fc.array(fc.oneof(word, fc.constantFrom('a', 'b', '-'))),
        (secrets, parts) => {
          const text = parts.join('');
          const covered = new Array(text.length).fill(false);
          for (const secret of secrets)
            for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1))
              covered.fill(true, at, at + secret.length);
          const expected = [...text]
            .map((one, index) => (covered[index] ? (covered[index - 1] ? '' : '***') : one))
            .join('');
          expect(knowing(...secrets).text(text)).toBe(expected);
        },
      ),
    );
  });

  test('shows no secret of some length that is broken into lines', () => {
    const long = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 16, maxLength: 90 });
    const around = fc.string({ unit: fc.constantFrom('a', 'b', ' '), maxLength: 30 });
    fc.assert(
      fc.property(long, around, around, fc.integer({ min: 1, max: 80 }), (secret, before, after, width) => {
        const broken = `${before}${secret}${after}`.replace(new RegExp(`.{${width}}(?=.)`, 'g'), '$&\n');
        fc.pre(
          !broken.split('\n').some((line, index, { length }) => index > 0 && index < length - 1 && / /.test(line)),
        );
        const told = knowing(secret).text(broken);
        expect(told.replaceAll('\n', '')).not.toContain(secret);
        expect(told.split('\n')).toHaveLength(broken.split('\n').length);
      }),
    );
  });

  test('takes time by its length and by nothing else', () => {
    const secrets = Array.from({ length: 300 }, (_, index) => `${'a'.repeat(60)}${index}secret`);
    const mask = knowing(...secrets);
    mask.text('');
    for (const text of ['a'.repeat(1_000_000), `${'a'.repeat(59)}b`.repeat(16_000), 'xyz '.repeat(250_000)]) {
      const began = performance.now();
      mask.text(text);
      expect(performance.now() - began).toBeLessThan(2_000);
    }
  });

  test('is looked at within 50 ms of processor time after 64 kB of secrets were learned', () => {
    // The first ones compile what all of them use.
    const measured = Array.from({ length: 6 }, () => {
      const secrets = Array.from({ length: 200 }, () => randomBytes(240).toString('base64url'));
      const begun = process.cpuUsage();
      knowing(...secrets).text('x'.repeat(1_000));
      const { user, system } = process.cpuUsage(begun);
      return (user + system) / 1_000;
    });
    expect(Math.min(...measured)).toBeLessThan(50);
  });
});
