import { expect, test } from 'vitest';
import { inEnglish } from '../../../src/operations/translate.ts';
import { summaryOf } from '../../../src/vscode/swarmSummary.ts';
import { provider, record } from './rowFacts.ts';

const summary = (records: Parameters<typeof summaryOf>[0], providers: Parameters<typeof summaryOf>[1] = []) =>
  summaryOf(records, providers, () => undefined, inEnglish);

test('nothing is told of nothing, nor of a trash alone', () => {
  expect(summary([])).toBeUndefined();
  expect(summary([record(1, { status: 'trashed' })])).toBeUndefined();
});

test('counts what runs, and is calm while all is well', () => {
  const told = summary([record(1), record(2, { status: 'stopped' }), record(3, { status: 'trashed' })]);
  expect(told).toMatchObject({ text: '$(server-environment) 1/2', level: 'calm' });
  expect(told?.spoken).toBe('Remote Swarm: 1 of 2 instances running');
  expect(told?.tooltip).toContain('web\\-1');
});

test('the worst state colors it, and the tooltip says which and why', () => {
  const error = { code: 'x', message: 'No such image.', at: '2026-01-01T00:00:00.000Z' };
  expect(summary([record(1), record(2, { status: 'lost' })])?.level).toBe('warning');
  const failed = summary([record(1, { status: 'lost' }), record(2, { status: 'failed', error })]);
  expect(failed?.level).toBe('error');
  expect(failed?.tooltip).toContain('failed: No such image\\.');
  expect(failed?.spoken).toContain('2 in trouble');
});

test('spins while something passes, and names providers that do not answer', () => {
  const told = summary(
    [record(1, { status: 'starting' })],
    [provider('docker', { reachable: false, problem: 'refused' })],
  );
  expect(told?.text).toBe('$(sync~spin) 0/1');
  expect(told?.tooltip).toContain('docker · refused');
});

test('a long list ends with a count', () => {
  const told = summary(Array.from({ length: 30 }, (_, number) => record(number)));
  expect(told?.tooltip).toContain('and 20 more');
});
