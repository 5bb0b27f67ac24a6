import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SecretMask } from '../../../src/core/secretMask.ts';
import { SwarmError } from '../../../src/model/errors.ts';

const token = 'gho_16C7e42F292c6912E7710c838347Ae178B4a';
function knowing(...values: string[]) {
  const mask = new SecretMask();
  for (const value of values) mask.learn(value);
  return mask;
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

  test('the beginning of a value at the end of a text that was cut', () => {
    expect(knowing(token).text(`x ${token.slice(0, 20)}`, true)).toBe('x ***');
    expect(knowing(token).text(`x ${token.slice(0, 20)}`)).toBe(`x ${token.slice(0, 20)}`);
    expect(knowing(token).text('x gh', true)).toBe('x gh');
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

  test('what was not met for longest is forgotten, what is met again is not', () => {
    const mask = knowing(token);
    for (let index = 0; index < 40; index++) {
      mask.learn(`${index}-${'x'.repeat(1_000)}`);
      if (index % 5 === 0) mask.learn(token);
    }
    expect(mask.text(token)).toBe('***');
    expect(mask.text(`0-${'x'.repeat(1_000)}y`)).toContain('0-');
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
});
