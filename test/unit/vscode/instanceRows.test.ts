import { describe, expect, test } from 'vitest';
import { InstanceStatus } from '../../../src/model/instance.ts';
import type { FailedSnapshot, Snapshot } from '../../../src/model/snapshot.ts';
import { statusTexts } from '../../../src/operations/statusTexts.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import { rowOf, rowTooltip, type Wording } from '../../../src/vscode/instanceRows.ts';
import type { Node } from '../../../src/vscode/instanceTree.ts';
import { ago, sizeText, sourceName } from '../../../src/vscode/rowTexts.ts';
import { found, provider, record } from './rowFacts.ts';

const wording: Wording = {
  t: inEnglish,
  locale: 'en',
  statusTexts: statusTexts(inEnglish),
  showProvider: false,
  canAttach: () => false,
};
const now = Date.UTC(2026, 0, 1, 12);
const instance = (...args: Parameters<typeof record>): Node => ({ kind: 'instance', record: record(...args) });

/** A day as a person there is shown it. */
const dayOf = (iso: string) => new Date(iso).toLocaleDateString('en', { month: 'short', day: 'numeric' });
/** When what was put into the trash on the first of March goes. */
const until = dayOf('2026-03-08T12:00:00.000Z');

describe('an instance’s row', () => {
  test('is called by its name, and says its state first', () => {
    const row = rowOf(instance(1, { config: { source: { kind: 'git', url: 'https://github.com/a/shop.git' } } }), {
      ...wording,
      showProvider: true,
    });
    expect(row).toMatchObject({ label: 'web-1', description: 'running · shop · local' });
    expect(row.spoken).toBe('web-1, running, local');
  });

  test('says why it failed, and that its set-up did', () => {
    const error = { code: 'x', message: 'The image is missing.', at: '2026-01-01T00:00:00.000Z' };
    expect(rowOf(instance(1, { status: 'failed', error }), wording).description).toBe('failed · The image is missing.');
    const setup = { status: 'failed' as const, problems: ['Cloning failed: 404'] };
    expect(rowOf(instance(1, { setup }), wording).description).toBe('running · setup failed');
    const cutOff = { ...error, code: 'restore-cut-off' };
    expect(rowOf(instance(1, { error: cutOff }), wording).description).toBe('running · its home is not whole');
    expect(rowOf(instance(1, { setup }), wording).spoken).toContain('setup failed');
  });

  test('has an icon of its own shape for every state at rest; passing states spin', () => {
    const shapes = new Map(
      InstanceStatus.options.map(status => [status, rowOf(instance(1, { status }), wording).icon.id]),
    );
    const passing = [...shapes].filter(([, icon]) => icon.endsWith('~spin')).map(([status]) => status);
    expect(passing).toEqual(['creating', 'starting', 'stopping', 'deleting']);
    const resting = [...shapes].filter(([status]) => !passing.includes(status)).map(([, icon]) => icon);
    expect(new Set(resting).size).toBe(resting.length);
  });

  test('of another owner, another machine or an older state says so in place of a state, with what can be done', () => {
    const bob = { user: 'bob', machine: 'studio' };
    const trashedAt = '2026-03-01T12:00:00.000Z';
    const unknown = { status: 'unknown', desired: 'trashed', trashedAt, detail: 'why' } as const;
    const rows = [
      {
        ...unknown,
        overruled: { by: 'another' as const, swarmId: 'bbbbbbbbbbbbbbbb', owner: bob, adoptedAt: trashedAt },
      },
      {
        ...unknown,
        overruled: { by: 'provider', epoch: 1, generation: 4, role: 'owner', status: 'running' } as const,
      },
      { ...unknown, desired: 'running' as const, elsewhere: 'anns-laptop' },
    ].map(more => instance(1, more));
    expect(rows.map(row => rowOf(row, wording).description)).toEqual([
      'adopted by bob@studio',
      'outdated: here in the trash, at local running',
      'runs on anns-laptop',
    ]);
    expect(rows.map(row => rowOf(row, wording).contextValue)).toEqual([
      'instance+unknown+can-goBack+can-forget',
      'instance+unknown+can-followProvider+can-followState',
      'instance+unknown+can-logs+can-takeOverInstance+can-failOver+can-goBack+can-delete',
    ]);
    expect(new Set(rows.map(row => rowOf(row, wording).icon.id)).size).toBe(3);
    const [adopted = '', older = '', elsewhere = ''] = rows.map(row =>
      rowTooltip(row, now, wording)?.replaceAll('\\', ''),
    );
    expect(adopted).toContain('Owner: bob@studio');
    expect(adopted).toContain(
      `bob@studio adopted it on ${dayOf('2026-03-01T12:00:00.000Z')}, 2026: nothing is done to it here. Forget it here, or forget`,
    );
    expect(adopted + older).not.toContain('Restore brings it back');
    expect(older).toContain('local says that it is "running"; here it was to be "in the trash"');
    expect(elsewhere).toContain('Stop it on anns-laptop.');
  });

  test('says where it is moving to, and then offers only what changes nothing', () => {
    const moving: Node = { kind: 'instance', record: record(1), movingTo: 'docker' };
    const row = rowOf(moving, wording);
    expect(row).toMatchObject({ description: 'running · moving to docker…', icon: { id: 'arrow-swap' } });
    expect(row.spoken).toBe('web-1, running, moving to docker, local');
    expect(row.contextValue).toBe('instance+running+can-open+can-terminal+can-ports+can-logs');
  });

  test('in the trash says what it costs there, and until when', () => {
    const trashed = record(1, { status: 'trashed', desired: 'trashed', trashedAt: '2026-03-01T12:00:00.000Z' });
    const node: Node = { kind: 'instance', record: trashed, bytes: 412_000_000 };
    expect(rowOf(node, wording).description).toBe(`until ${until} · 412 MB`);
    expect(rowOf({ ...node, bytes: undefined }, wording).description).toBe(`until ${until}`);
    expect(rowOf(node, wording).spoken).toBe(`web-1, in the trash, until ${until}, 412 MB, local`);
    expect(rowTooltip(node, now, wording)).toContain('Home: 412 MB');
    const kept = [{ takenAt: '2026-01-01T00:00:00.000Z' }, { takenAt: '2026-01-01T00:00:00.000Z' }] as Snapshot[];
    expect(rowTooltip(node, now, wording, { kept, failed: [] })).toContain('with its 2 snapshots');
  });

  test.each([
    ['running', ['open', 'stop', 'delete'], ['start', 'purge', 'restore']],
    ['stopped', ['start', 'edit', 'delete'], ['open', 'stop', 'terminal']],
    ['trashed', ['restore', 'purge'], ['start', 'delete', 'open']],
    ['unknown', ['failOver', 'delete'], ['start', 'stop', 'purge', 'forget']],
    ['deleting', [], ['delete', 'forget']],
  ] as const)('%s offers what fits', (status, offered, hidden) => {
    const { contextValue } = rowOf(instance(1, { status }), wording);
    const offers = (action: string) => new RegExp(`^instance\\b.*\\+can-${action}\\b`).test(contextValue);
    expect(offered.filter(action => !offers(action))).toEqual([]);
    expect(hidden.filter(offers)).toEqual([]);
  });

  test('whose provider is gone leads to its end all the same, and says why it waits', () => {
    const goes = rowOf(instance(1, { status: 'unknown', desired: 'trashed' }), wording);
    expect(goes.description).toMatch(/^unknown · goes to the trash once local answers/);
    expect(goes.contextValue).toBe('instance+unknown+can-restore+can-goBack+can-purge');
    const error = { code: 'provider-unreachable', message: 'docker does not answer.', at: '2026-03-01T12:00:00.000Z' };
    const stuck = rowOf(instance(1, { status: 'deleting', desired: 'absent', error }), wording);
    expect(stuck.description).toMatch(/^deleting… · docker does not answer\./);
    expect(stuck).toMatchObject({ contextValue: 'instance+deleting+can-forget', icon: { id: 'circle-slash' } });
  });
});

describe('an instance’s tooltip', () => {
  test('tells what there is, and nothing of what there is not', () => {
    const text = rowTooltip(instance(1), now, wording);
    expect(text).toContain('### web\\-1');
    expect(text).toContain('$(vm-running) **running** · 3 hours ago');
    for (const absent of ['Image', 'Ports', 'Extensions', 'Labels', 'Variables', 'undefined', 'Size', 'Snapshots']) {
      expect(text).not.toContain(absent);
    }
    const more = record(1, {
      config: {
        resources: { cpuCores: 2, memoryMb: 4096 },
        ports: [3000],
        secretEnv: ['TOKEN'],
        env: { MODE: 'secret!' },
      },
    });
    const full = rowTooltip({ kind: 'instance', record: more }, now, wording);
    expect(full).toContain('Size: 2 cores, 4 GB');
    expect(full).toContain('Variables: MODE, TOKEN \\(secret\\)');
    expect(full).not.toContain('secret!');
  });

  test.each([
    ['debian:12', `debian:12@sha256:${'ab'.repeat(32)}`, 'Image: debian:12@sha256:abababababab'],
    ['dev', `sha256:${'ab'.repeat(32)}`, 'Image: dev \\(sha256:abababababab\\)'],
    [undefined, `editor:1@sha256:${'ab'.repeat(32)}`, 'Image: editor:1@sha256:abababababab'],
    ['debian:12', undefined, 'Image: debian:12'],
  ])('tells of %s what it was made of', (image, pinnedImage, expected) => {
    const of = instance(1, { ...(pinnedImage && { pinnedImage }), config: { ...(image && { image }) } });
    expect(rowTooltip(of, now, wording)?.split('  \n')).toContain(expected);
  });

  test('tells how many snapshots there are, and when the last one was taken', () => {
    const taken = [2, 26].map(hours => ({ takenAt: new Date(now - hours * 3_600_000).toISOString() }) as Snapshot);
    const text = rowTooltip(instance(1), now, wording, { kept: taken, failed: [] });
    expect(text).toContain('Snapshots: 2, the last one 2 hours ago');
  });

  test('tells why the last one could not be taken', () => {
    const error = { code: 'no-room-for-snapshot', message: 'The disk is full.', at: new Date(now).toISOString() };
    const failed = [{ takenAt: new Date(now - 3_600_000).toISOString(), error } as FailedSnapshot];
    const text = rowTooltip(instance(1), now, wording, { kept: [], failed });
    expect(text).toContain('No snapshot could be taken 1 hour ago: The disk is full\\.');
  });

  test('nobody’s text becomes a link, an image or an icon', () => {
    const detail = '[x](command:evil) ![y](http://z) $(flame) <b>';
    const text = rowTooltip(instance(1, { detail }), now, wording) ?? '';
    expect(text).not.toMatch(/(?<!\\)\[x|(?<!\\)\]\(|(?<!\\)\$\(flame|(?<!\\)<b/);
  });
});

describe('other rows', () => {
  test('an unreachable provider says why and is known by its problem', () => {
    const state = provider('docker', { reachable: false, problem: 'no answer', hint: 'Start it.', code: 'timed-out' });
    const node: Node = { kind: 'provider', id: 'docker', state, count: 0 };
    expect(rowOf(node, wording)).toMatchObject({
      label: 'docker',
      description: 'unreachable · no answer',
      collapse: 'none',
      contextValue: 'provider+unreachable+code-timed-out',
      spoken: 'Provider docker cannot be reached: no answer',
    });
    expect(rowTooltip(node, now, wording)).toBe('no answer\n\nStart it\\.');
  });

  test('one that does not run says that it costs, where it does', () => {
    const tip = (status: 'running' | 'stopped', costsAtRest: boolean) =>
      rowTooltip({ kind: 'instance', record: record(1, { status }), costsAtRest }, now, wording);
    expect(tip('stopped', true)).toContain('its home is still paid for');
    for (const other of [tip('running', true), tip('stopped', false)]) expect(other).not.toContain('paid');
  });

  test('groups count; the trash is closed', () => {
    expect(rowOf({ kind: 'trashGroup', count: 2 }, wording)).toMatchObject({ collapse: 'collapsed', description: '2' });
    expect(rowOf({ kind: 'status', status: 'starting', count: 1 }, wording)).toMatchObject({
      label: 'Starting',
      icon: { id: 'sync' },
      spoken: 'Starting, 1 instance',
    });
  });

  test('what was found says whose it is', () => {
    const node: Node = { kind: 'found', found: found(3) };
    expect(rowOf(node, wording)).toMatchObject({
      label: '000000000003',
      description: expect.stringMatching(/^running · docker · .*2026/),
    });
    expect(rowTooltip(node, now, wording)).toContain('zzzzyyyyxxxxwwww');
    const named: Node = { kind: 'found', found: { ...found(3), name: 'shop' } };
    expect(rowOf(named, wording)).toMatchObject({ label: 'shop', spoken: expect.stringMatching(/^shop, found on/) });
    expect(rowTooltip(named, now, wording)).toContain('Id: 000000000003');
  });

  test('a provider that is not in the settings is known as such', () => {
    const node: Node = { kind: 'provider', id: 'gone', state: undefined, count: 2 };
    expect(rowOf(node, wording)).toMatchObject({
      description: '2 · not in the settings',
      contextValue: 'provider+missing',
      collapse: 'expanded',
    });
    expect(rowTooltip(node, now, wording)).toMatch(/Add it under the same name/);
  });
});

test.each([
  [2048, '2 GB'],
  [512, '0.5 GB'],
  [24_105, '23.5 GB'],
])('%i MiB of memory are %s', (memoryMb, text) => {
  expect(sizeText({ memoryMb }, inEnglish)).toBe(text);
});

test.each([
  ['2026-01-01T11:59:40.000Z', '20 seconds ago'],
  ['2026-01-01T11:30:00.000Z', '30 minutes ago'],
  ['2025-12-29T12:00:00.000Z', '3 days ago'],
])('%s is %s', (iso, text) => {
  expect(ago(iso, now, 'en')).toBe(text);
});

test.each([
  ['https://github.com/owner/repo.git', 'repo'],
  ['git@host:owner/thing', 'thing'],
])('%s is called %s', (url, name) => {
  expect(sourceName({ kind: 'git', url })).toBe(name);
  expect(sourceName({ kind: 'folder', path: '/home/me/project/' })).toBe('project');
});

test('the tooltip of what is in the trash says until when it is there', () => {
  const trashed = record(1, { status: 'trashed', desired: 'trashed', trashedAt: '2026-03-01T12:00:00.000Z' });
  const text = rowTooltip({ kind: 'instance', record: trashed }, now, wording);
  expect(text).toContain(`Restore brings it back until ${until}, 2026`);
});
