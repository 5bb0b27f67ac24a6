import { describe, expect, test } from 'vitest';
import { CheckOutcome, HealthStatus } from '../../../src/model/health.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { faceIcon, healthRowOf, outcomeIcon } from '../../../src/vscode/healthRows.ts';
import {
  faceOf,
  faceOrder,
  type HealthFacts,
  type HealthNode,
  healthParentOf,
  healthRowId,
  healthTreeOf,
} from '../../../src/vscode/healthTree.ts';
import { attempt, check, crashLoop, healthOf, minutesAgo, noon } from './healthFacts.ts';
import { idOf, record } from './rowFacts.ts';

const wording = { t: inEnglish, locale: 'en', now: noon };

const treeOf = (change: Partial<HealthFacts>) =>
  healthTreeOf({ records: [], healthOf: () => undefined, suspects: [], ...change });

describe('the tree', () => {
  test('lists what is watched, the worst first, paused ones last', () => {
    const healths = new Map(
      [
        healthOf(1),
        healthOf(2, { status: 'unknown' }),
        healthOf(3, { status: 'recovering' }),
        healthOf(4, { status: 'degraded' }),
        healthOf(5, { status: 'unhealthy' }),
        healthOf(6, { status: 'unhealthy', recovery: { attempts: [], crashLoop } }),
        healthOf(7, { status: 'unhealthy', pausedSince: minutesAgo(1) }),
        healthOf(8, { status: 'unhealthy' }),
      ].map(health => [health.id, health]),
    );
    const records = [
      ...[1, 2, 3, 4, 5, 6, 7].map(number => record(number)),
      record(8, { status: 'stopped', desired: 'stopped' }),
      record(9, { status: 'trashed', desired: 'trashed' }),
      record(10, { status: 'creating' }),
    ];
    const { roots } = treeOf({ records, healthOf: id => healths.get(id) });
    expect(roots).toEqual([6, 5, 4, 3, 2, 1, 7].map(number => healthRowId(idOf(number))));
  });

  test('what runs and was not looked at yet is there, with nothing below it', () => {
    const tree = treeOf({ records: [record(1)] });
    expect(tree.roots).toEqual([healthRowId(idOf(1))]);
    expect(tree.children.size).toBe(0);
  });

  test('an instance opens to its four checks and what comes next', () => {
    const next = { act: 'Restart it.', at: minutesAgo(-1) };
    const tree = treeOf({ records: [record(1)], healthOf: () => healthOf(1, { next }) });
    const id = healthRowId(idOf(1));
    const below = tree.children.get(id) ?? [];
    expect(
      below.map(row => tree.nodes.get(row)).map(node => (node?.kind === 'check' ? node.name : node?.kind)),
    ).toEqual(['provider', 'status', 'connectivity', 'resources', 'next']);
    for (const row of below) expect(healthParentOf(tree, row)).toBe(id);
    expect(healthParentOf(tree, id)).toBeUndefined();
  });

  test('a suspect provider stands above all', () => {
    const tree = treeOf({ records: [record(1)], suspects: [{ providerId: 'docker', reason: '5 of 6 fail at once.' }] });
    expect(tree.roots[0]).toBe('suspect:docker');
  });
});

const row = (node: HealthNode) => healthRowOf(node, wording);
const instance = (change: Parameters<typeof healthOf>[1] = {}): HealthNode => ({
  kind: 'instance',
  record: record(1),
  health: healthOf(1, change),
});

describe('a row', () => {
  test('says name, health and why; a healthy one needs no reason', () => {
    expect(row(instance())).toMatchObject({ label: 'web-1', description: 'healthy', spoken: 'web-1, healthy' });
    const unwell = row(instance({ status: 'unhealthy', reason: 'It does not run, though it should: exit code 1.' }));
    expect(unwell.description).toBe('unhealthy · It does not run, though it should: exit code 1');
    expect(unwell.spoken).toBe('web-1, unhealthy. It does not run, though it should: exit code 1');
  });

  test('a reason that is long is cut', () => {
    const { description } = row(instance({ status: 'degraded', reason: 'x'.repeat(5000) }));
    expect(description.length).toBeLessThan(150);
  });

  test('crash loop and pause outweigh the status', () => {
    const recovery = { attempts: [attempt(6)], crashLoop };
    expect(row(instance({ status: 'unhealthy', recovery })).description).toMatch(/^crash loop · It fails again/);
    const paused = row(instance({ status: 'unhealthy', recovery, pausedSince: minutesAgo(1) }));
    expect(paused.description).toBe('not watched · A person paused its monitoring');
  });

  test('every health and every outcome has an icon of its own shape', () => {
    const faces = faceOrder.map(face => faceIcon(face).id);
    expect(new Set(faces).size).toBe(faces.length);
    expect(faceOrder).toEqual(expect.arrayContaining(HealthStatus.options));
    const outcomes = CheckOutcome.options.map(outcome => outcomeIcon(outcome).id);
    expect(new Set(outcomes).size).toBe(outcomes.length);
  });

  test.each([
    ['healthy', {}, ['can-pause'], ['can-reset', 'can-resume']],
    ['in a crash loop', { recovery: { attempts: [], crashLoop } }, ['can-reset', 'can-pause'], ['can-resume']],
    ['paused', { pausedSince: minutesAgo(1) }, ['can-resume'], ['can-pause', 'can-reset']],
  ] as const)('%s offers what fits', (_, change, offered, hidden) => {
    const { contextValue } = row(instance(structuredClone(change) as Parameters<typeof healthOf>[1]));
    const offers = (action: string) => new RegExp(`^health\\b.*\\+${action}\\b`).test(contextValue);
    expect(offered.filter(action => !offers(action))).toEqual([]);
    expect(hidden.filter(offers)).toEqual([]);
  });

  test('a check says what was seen, when, and how fast', () => {
    expect(row({ kind: 'check', name: 'connectivity', check: check() })).toMatchObject({
      label: 'Connectivity',
      description: 'Its editor server answered · just now · 12 ms',
      spoken: 'Connectivity, passed. Its editor server answered. just now. 12 ms',
    });
    const failed = check({ outcome: 'failed', seen: 'It refused.', at: minutesAgo(3), times: 4 });
    expect(row({ kind: 'check', name: 'connectivity', check: failed }).description).toBe(
      'It refused · 4 times in a row · 3 minutes ago · 12 ms',
    );
    expect(row({ kind: 'check', name: 'resources', check: undefined }).description).toBe('not measured');
  });

  test('what comes next has its time', () => {
    const next = { act: 'Restart it (2 of 3).', at: '2026-01-01T12:00:20.000Z' };
    const { description } = row({ kind: 'next', next });
    expect(description).toBe(
      `Restart it (2 of 3). At ${new Date(next.at).toLocaleTimeString('en', { timeStyle: 'medium' })}.`,
    );
    expect(row({ kind: 'next', next: { act: 'Nothing.' } }).description).toBe('Nothing.');
  });

  test('is the same text in each round of the same minute', () => {
    const later = { ...wording, now: noon + 30_000 };
    const before = healthOf(1, { checks: [check({ at: new Date(noon - 10_000).toISOString() })] });
    const after = healthOf(1, { checks: [check({ at: new Date(noon + 10_000).toISOString(), times: 4 })] });
    for (const health of [before, after]) expect(faceOf(health)).toBe('healthy');
    expect(healthRowOf({ kind: 'check', name: 'connectivity', check: after.checks[0] }, later)).toEqual(
      healthRowOf({ kind: 'check', name: 'connectivity', check: before.checks[0] }, wording),
    );
  });
});
