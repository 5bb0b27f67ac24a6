import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { invalidInput } from '../../../src/model/errors.ts';
import { CreateInput } from '../../../src/operations/instanceInputs.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { auditText, verdictText } from '../../../src/vscode/auditText.ts';
import { buttonsFor } from '../../../src/vscode/errorButtons.ts';
import { freeName } from '../../../src/vscode/freeName.ts';
import { instanceTemplate, inWizardWords, parseInstanceText } from '../../../src/vscode/instanceTemplate.ts';
import { fieldsOf } from '../../../src/vscode/providerFields.ts';

describe('the buttons under an error', () => {
  const labels = (code: string | undefined, retryable = false) =>
    buttonsFor(code, retryable, inEnglish).map(({ label }) => label);

  test('mend it where something can, first', () => {
    expect(labels('editor-server-missing')[0]).toBe('Install Editor Server');
    expect(labels('provider-unreachable', true)).toEqual(['Retry', 'Open Settings', 'Show Log']);
    expect(labels('no-placement')[0]).toBe('Add Provider');
    // Their words end with what to change on a host, at an engine or in its provider, before it is tried again.
    for (const code of ['ssh-no-forward', 'ssh-host-key', 'engine-permission', 'engine-tls'])
      expect(labels(code)).toEqual(['Retry', 'Edit Provider', 'Show Log']);
  });

  test('are not there where the sentence says all; what is unforeseen shows the log', () => {
    expect(labels('name-taken')).toEqual([]);
    expect(labels(undefined)).toEqual(['Show Log']);
    expect(labels('some-new-code', true)).toEqual(['Retry', 'Show Log']);
  });
});

test('the template can be created as it is, and its empty provider means any', () => {
  const input = parseInstanceText(instanceTemplate('dev', true));
  expect(CreateInput.safeParse(input).error).toBeUndefined();
  expect(input).not.toHaveProperty('provider');
  expect(parseInstanceText(instanceTemplate('dev', false))).not.toHaveProperty('resources');
  expect(parseInstanceText('{"provider":"docker"}')).toEqual({ provider: 'docker' });
  expect(parseInstanceText('[]')).toEqual([]);
});

test('what is wrong with labels is said in both words', () => {
  const said = (problem: string) => String(inWizardWords(invalidInput('The input of "Create Instance"', [problem])));
  expect(said('metadata.team: must be a string')).toContain('metadata (labels).team: must be a string');
  expect(said('labels: is no known field')).toContain('labels: is no known field, they are called metadata');
  expect(said('name: must not hold metadata')).toContain('name: must not hold metadata.');
});

test('a name that is suggested is free', () => {
  expect(freeName([])).toBe('dev');
  expect(freeName(['Dev', 'dev-2'])).toBe('dev-3');
  expect(freeName(['docker'], 'docker')).toBe('docker-2');
});

test('the fields of a provider type are asked by their schema', () => {
  const schema = z.strictObject({
    id: z.string(),
    type: z.literal('x'),
    host: z.string().regex(/^ssh:/, 'must be ssh').meta({ title: 'Host', description: 'Where it is.' }),
    mode: z.enum(['a', 'b']).optional(),
    port: z.int().optional(),
    tls: z.boolean().default(false),
    nested: z.strictObject({ deep: z.string() }).optional(),
  });
  expect(fieldsOf(schema).map(({ name, kind, required }) => [name, kind, required])).toEqual([
    ['host', 'text', true],
    ['mode', 'choice', false],
    ['port', 'number', false],
    ['tls', 'boolean', false],
  ]);
  const [host, mode] = fieldsOf(schema);
  expect(host).toMatchObject({ title: 'Host', description: 'Where it is.' });
  expect(host?.problem('http:x')).toBe('must be ssh');
  expect(mode?.choices).toEqual(['a', 'b']);
});

test('the audit log is told with names, the latest first', () => {
  const hash = '0'.repeat(64);
  const entry = {
    time: '2026-01-01T00:00:00.000Z',
    actor: 'mara',
    caller: 'person' as const,
    operation: 'stop_swarm_instance',
    effect: 'change' as const,
    phase: 'done' as const,
    targets: ['a'],
    previous: hash,
    hash,
  };
  const text = auditText(
    [entry, { ...entry, phase: 'failed', outcome: 'No answer.', code: 'timed-out' }],
    id => `<${id}>`,
    inEnglish,
  );
  expect(text.indexOf('failed')).toBeLessThan(text.indexOf('done'));
  expect(text).toContain('<a>');
  expect(text).toContain('No answer. [timed-out]');
  expect(verdictText([], inEnglish)).toContain('as it was written');
  expect(verdictText([{ writer: 'w', line: 3, problem: 'was changed' }], inEnglish)).toContain(
    'line 3 of w was changed',
  );
});
