import { beforeEach, describe, expect, test, vi } from 'vitest';
import { editorServerMissing } from '../../../src/model/errors.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import { BlastRadius, DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { OperationGate } from '../../../src/operations/operationGate.ts';
import { inEnglish } from '../../../src/operations/translate.ts';
import type { Face } from '../../../src/vscode/face.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider, type MemoryProviderOptions } from '../../fakes/memoryProvider.ts';
import { MemoryDisk, MemoryStore } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';
import { type Answer, editor } from './fakeEditor.ts';

vi.mock('vscode', async () => (await import('./fakeEditor.ts')).editor.module);

const { SwarmHost } = await import('../../../src/vscode/swarmHost.ts');
const { InstancesView } = await import('../../../src/vscode/instancesView.ts');
const { commandTable } = await import('../../../src/vscode/commands/commandTable.ts');
const { defaultPolicy } = await import('../../../src/model/config.ts');

beforeEach(() => editor.reset());

/** A window whose swarm lives in memory: commands, view and gate are the real ones. */
async function makeWindow(
  options: MemoryProviderOptions = {},
  place = new MemoryPlace(),
  disk = new MemoryDisk(),
  tokenUrl?: string,
) {
  const tokens = new Map<string, string>();
  const { controller, vault } = memorySwarm({ place, disk, providers: [new MemoryProvider(place, options)] });
  const audit: unknown[] = [];
  const gate = new OperationGate(
    controller,
    { append: async event => void audit.push(event) },
    new BlastRadius(new MemoryStore(DestroyBudget, new MemoryDisk()), () => 0),
    () => ({ policy: defaultPolicy, agentDestroyLimit: 3 }),
    { translate: inEnglish, warn: () => {} },
  );
  const tested = { problem: undefined as unknown };
  const core = {
    controller,
    gate,
    providerTypes: [{ type: 'memory', title: 'Memory', fields: [], tokenUrl }],
    writeToken: async (id: string, token: string) => void tokens.set(id, token),
    testProvider: async () => {
      if (tested.problem) throw tested.problem;
    },
    config: { loadStateOnStartup: true },
    dispose: () => controller.dispose(),
  };
  await controller.initialize();
  await controller.refresh();
  const host = new SwarmHost(async () => core as never);
  await host.core();
  const view = new InstancesView(host, { get: () => undefined, update: async () => {} } as never);
  view.refresh();
  const log = { error: () => {}, debug: () => {} };
  const face = { host, view, log, documents: { noteTemplate: async () => {} } } as unknown as Face;
  const run = async (command: string, answers: readonly Answer[] = [], rows: string[] = []) => {
    editor.answers.push(...answers);
    await commandTable.find(({ id }) => id === `remoteSwarm.${command}`)?.run(face, { rows });
    await new Promise(resolve => setImmediate(resolve));
    expect(editor.answers).toEqual([]);
  };
  return { controller, vault, place, disk, view, audit, tested, tokens, run };
}

/** Up to the options of the wizard: a name, the one provider, nothing in the workspace. */
const upToOptions: Answer[] = [
  ['A name', 'shop'],
  ['Where shall', 'memory'],
  ['What shall its workspace', 'Nothing'],
];

describe('secret variables', () => {
  test('given in the wizard get into the instance, and into no log', async () => {
    const { run, controller, vault, place, audit } = await makeWindow({ limits: false, images: false });
    await run('create', [
      ...upToOptions,
      ['What else', 'Secret variables'],
      ['Names of the secret', 'API_KEY'],
      ['The value of API_KEY', 's3cret'],
      ['Press Enter', 'Create'],
    ]);
    const [record] = controller.listInstances();
    expect(record?.config).toMatchObject({ name: 'shop', secretEnv: ['API_KEY'] });
    expect(vault.secrets.get(record?.id ?? '')).toEqual({ API_KEY: 's3cret' });
    expect(place.instances.get(record?.id ?? '')?.variables).toMatchObject({ API_KEY: 's3cret' });
    expect(JSON.stringify([audit, controller.listInstances()])).not.toContain('s3cret');
  });

  test('changed by Edit: a value that is left empty stays', async () => {
    const { run, controller, vault, audit } = await makeWindow();
    const input = { name: 'shop', secretEnv: ['OLD'] };
    const { id } = await controller.createInstance(input, undefined, quietContext, { OLD: 'first' });
    await run('edit', [
      ['Edit an Instance', 'shop'],
      ['Edit shop', 'Secret variables'],
      ['Names of the secret', 'OLD NEW'],
      ['The value of OLD', ''],
      ['The value of NEW', 's3cret'],
    ]);
    expect(controller.getInstance(id).config.secretEnv).toEqual(['OLD', 'NEW']);
    expect(vault.secrets.get(id)).toEqual({ OLD: 'first', NEW: 's3cret' });
    expect(JSON.stringify(audit)).not.toContain('s3cret');
  });
});

test('Edit, Size says while it is typed what the provider gives, in GB', async () => {
  const maxResourcesPerInstance = { cpu: { cores: 4 }, memory: { min: 256, max: 24_105 } };
  const { run, controller } = await makeWindow({ capabilities: { maxResourcesPerInstance } });
  const { id } = await controller.createInstance({ name: 'shop', resources: { memoryMb: 3000 } });
  const upTo: Answer[] = [
    ['Edit an Instance', 'shop'],
    ['Edit shop', 'Size'],
  ];
  await run('edit', [...upTo, ['CPU cores', '5']]);
  await run('edit', [...upTo, ['CPU cores', '4'], ['Memory in GB', '4096']]);
  await run('edit', [...upTo, ['CPU cores', '4'], ['Memory in GB', 'much']]);
  expect(editor.problems).toEqual(['Must be at most 4', 'Must be at most 23.5 GB', 'Must be a number']);
  await run('edit', [...upTo, ['CPU cores', '2'], ['Memory in GB', '1.5']]);
  expect(controller.getInstance(id).config.resources).toEqual({ cpuCores: 2, memoryMb: 1536 });
});

describe('from JSON', () => {
  test.each([true, false])('the template asks for resources where they can be limited (%s)', async limits => {
    const { run } = await makeWindow({ limits });
    await run('createFromJson');
    expect(editor.opened[0]?.includes('memoryMb')).toBe(limits);
  });

  test('what is no JSON names no fields; what is wrong with labels is said in both words', async () => {
    const { run } = await makeWindow();
    editor.document = '{"name": }';
    await expect(run('createFromDocument')).rejects.toMatchObject({
      message: expect.stringMatching(/^The document is not JSON: Unexpected token/),
      hint: expect.not.stringContaining('field'),
    });
    editor.document = '{"name": "shop", "metadata": 7}';
    await expect(run('createFromDocument')).rejects.toThrow('metadata (labels): must be an object');
  });
});

describe('what was found', () => {
  /** A window on a place with two instances of another swarm. */
  async function stranger() {
    const place = new MemoryPlace();
    const other = memorySwarm({ place, swarmId: 'bbbbbbbbbbbbbbbb' });
    for (const name of ['shop', 'bank']) await other.controller.createInstance({ name });
    place.calls.length = 0;
    return makeWindow({}, place);
  }
  const labels = ({ view }: Awaited<ReturnType<typeof stranger>>) =>
    view.getChildren('found').map(row => (view.getTreeItem(row) as unknown as { label: string }).label);

  test('is named when its group is unfolded, and asked for once', async () => {
    const window = await stranger();
    expect(window.place.calls).not.toContain('getInstance');
    expect(labels(window)).toEqual([expect.stringMatching(/^[a-z0-9]{12}$/), expect.stringMatching(/^[a-z0-9]{12}$/)]);
    await vi.waitFor(() => expect(labels(window).toSorted()).toEqual(['bank', 'shop']));
    labels(window);
    expect(window.place.calls.filter(call => call === 'getInstance')).toHaveLength(2);
  });

  test('keeps its id while its place does not answer, and is asked for again', async () => {
    const window = await stranger();
    window.place.unreachable = true;
    labels(window);
    await new Promise(resolve => setImmediate(resolve));
    expect(labels(window)[0]).toMatch(/^[a-z0-9]{12}$/);
    window.place.unreachable = false;
    await vi.waitFor(() => expect(labels(window).toSorted()).toEqual(['bank', 'shop']));
  });

  test('is adopted by name: in the pick, and in the question', async () => {
    const { run, controller } = await stranger();
    await run('adopt', [
      ['Adopt Instances', 'shop'],
      ['Adopt "shop" of ada@engine?', 'Adopt Instance'],
    ]);
    expect(editor.picks[0]?.toSorted()).toEqual(['bank', 'shop']);
    expect(editor.messages[0]).toMatchObject({
      detail: expect.stringMatching(/^• shop \([a-z0-9]{12}, memory, running, ada@engine\)/),
    });
    expect(controller.listInstances().map(({ config }) => config.name)).toEqual(['shop']);
    await vi.waitFor(() =>
      expect(editor.messages.at(-1)).toMatchObject({ text: 'shop is part of this swarm now.', buttons: ['Open'] }),
    );
  });
});

describe('Remove Homes Without an Instance', () => {
  test('shows what is there, and removes what was chosen and agreed to', async () => {
    const { run, controller } = await makeWindow();
    const [provider] = controller.providers.all();
    const homes = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'].map(id => ({ id, sizeGb: 3 }));
    await run('removeStrayHomes');
    expect(editor.messages.at(-1)?.text).toMatch(/^Every home/);
    const removed: string[] = [];
    Object.assign(provider?.abilities ?? {}, { strayHomes: async () => homes });
    Object.assign(provider ?? {}, { deleteInstance: async (id: string) => removed.push(id) });
    await run('removeStrayHomes', [
      ['Homes Without an Instance', 'bbbbbbbbbbbb'],
      ['Remove a home for good?', 'Remove Permanently'],
    ]);
    expect(editor.messages.at(-1)).toMatchObject({ detail: expect.stringContaining('bbbbbbbbbbbb (memory, 3 GB)') });
    expect(removed).toEqual(['bbbbbbbbbbbb']);
  });
});

describe('Add Provider', () => {
  const answers: Answer[] = [
    ['What kind of place', 'Memory'],
    ['A short name', 'box'],
  ];
  const saved = () => editor.settings['remoteSwarm.providers'];

  test('ends with what can be done now', async () => {
    const { run } = await makeWindow();
    await run('addProvider', [...answers, ['box is ready.', 'Create Instance']]);
    expect(saved()).toEqual([{ id: 'box', type: 'memory' }]);
    expect(editor.commands).toContain('remoteSwarm.create');
  });

  test('says why it cannot be reached; it can be changed, kept, or left', async () => {
    const { run, tested } = await makeWindow();
    tested.problem = editorServerMissing('box');
    await run('addProvider', [...answers, ['box cannot be reached', undefined]]);
    expect(saved()).toBeUndefined();
    const [{ text, buttons } = { text: '', buttons: [] }] = editor.messages;
    expect(text).toContain('found no editor server on this computer. Install');
    expect(buttons).toEqual(['Change', 'Save Anyway']);
    await run('addProvider', [
      ...answers,
      ['box cannot be reached', 'Change'],
      ['A short name', 'cube'],
      ['cube cannot be reached', 'Save Anyway'],
    ]);
    expect(saved()).toEqual([{ id: 'cube', type: 'memory' }]);
  });

  test('asks for a token where one is needed, and keeps it out of the settings; an empty one keeps what there is', async () => {
    const { run, tokens } = await makeWindow({}, undefined, undefined, 'https://token.example');
    await run('addProvider', [
      ...answers,
      [
        'The token for Memory; leave it empty to keep the one that is stored. How to make one: https://token.example',
        ' s3cret ',
      ],
      ['box is ready.', undefined],
    ]);
    expect([...tokens]).toEqual([['box', 's3cret']]);
    expect(saved()).toEqual([{ id: 'box', type: 'memory' }]);
    await run('editProvider', [
      ['Edit Provider', 'box'],
      ['The token for Memory', ''],
      ['box is ready.', undefined],
    ]);
    expect([...tokens]).toEqual([['box', 's3cret']]);
    await run('editProvider', [
      ['Edit Provider', 'box'],
      ['The token for Memory', undefined],
    ]);
    expect(saved()).toEqual([{ id: 'box', type: 'memory' }]);
  });

  test('on the row of a provider that the settings lack offers its name', async () => {
    const { place, disk, controller: first } = await makeWindow({ id: 'gone' });
    await first.createInstance({ name: 'shop' });
    const { run, view } = await makeWindow({ id: 'other' }, place, disk);
    expect(view.node('provider:gone')).toMatchObject({ state: undefined });
    await run('addProvider', [answers[0] as Answer, ['A short name', '=']], ['provider:gone']);
    expect(saved()).toEqual([{ id: 'gone', type: 'memory' }]);
  });
});

test('a tooltip tells the time of when it is looked at, and its row is drawn anew before it is stale', async () => {
  const { controller, view } = await makeWindow();
  const { id } = await controller.createInstance({ name: 'shop' });
  view.refresh();
  vi.useFakeTimers();
  try {
    const drawn: unknown[] = [];
    view.onDidChangeTreeData(rows => drawn.push(rows));
    const row = `instance:${id}`;
    const tooltip = () =>
      (view.resolveTreeItem(view.getTreeItem(row), row).tooltip as unknown as { value: string }).value;
    expect(tooltip()).toMatch(/now|second/);
    vi.advanceTimersByTime(3_600_000);
    expect(drawn).toEqual([[row]]);
    expect(tooltip()).toContain('1 hour ago');
    view.dispose();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
