import { expect, test } from 'vitest';
import { diagnosticsText, redacted, redactedText } from '../../../src/vscode/diagnosticsText.ts';
import { record } from './rowFacts.ts';

test('what is called like a secret is hidden, at any depth; empty ones show that they are empty', () => {
  const settings = {
    providers: [{ id: 'd', host: 'tcp://h', tlsKey: 'PEM', password: '', nested: { apiToken: 'x' } }],
  };
  expect(redacted(settings)).toEqual({
    providers: [{ id: 'd', host: 'tcp://h', tlsKey: '***', password: '', nested: { apiToken: '***' } }],
  });
});

test.each([
  ['http://127.0.0.1:80/?tkn=abc&folder=/x', 'http://127.0.0.1:80/?tkn=***&folder=/x'],
  ['https://me:pw@host/path', 'https://***@host/path'],
  ['Authorization: Bearer abcdefghijkl', 'Authorization: Bearer ***'],
  ['token ghp_0123456789abcdef', 'token ***'],
  ['an error in line 3', 'an error in line 3'],
])('%s becomes %s', (text, expected) => {
  expect(redactedText(text)).toBe(expected);
});

test('names of variables are kept, their values are not', () => {
  const text = diagnosticsText({
    versions: { Node: '22' },
    settings: { 'remoteSwarm.providers': [] },
    status: undefined,
    records: [record(1, { config: { env: { MODE: 'very private' }, secretEnv: ['TOKEN'] } })],
    problem: 'no disk',
    log: 'opened http://h/?tkn=abc\n```',
  });
  expect(text).toContain('"MODE"');
  expect(text).toContain('no disk');
  expect(text).not.toContain('very private');
  expect(text).not.toContain('tkn=abc');
});
