import { beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultPolicy } from '../../../src/model/config.ts';
import { BlastRadius, DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { OperationGate } from '../../../src/operations/operationGate.ts';
import type { Face } from '../../../src/vscode/face.ts';
import { contentOf, fill } from '../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryStore } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';
import { type Answer, editor } from './fakeEditor.ts';

vi.mock('vscode', async () => (await import('./fakeEditor.ts')).editor.module);

const { SwarmHost } = await import('../../../src/vscode/swarmHost.ts');
const { InstancesView } = await import('../../../src/vscode/instancesView.ts');
const { MigrationsView } = await import('../../../src/vscode/migrationsView.ts');
const { commandTable } = await import('../../../src/vscode/commands/commandTable.ts');

beforeEach(() => editor.reset());

/** A window whose swarm has an instance "web" at `here`, and another place, `there`. */
async function makeWindow() {
  const here = new MemoryProvider(new MemoryPlace(), { id: 'here' });
  const there = new MemoryProvider(new MemoryPlace(), { id: 'there' });
  const { controller } = memorySwarm({ providers: [here, there] });
  const gate = new OperationGate(
    controller,
    { append: async () => {} },
    new BlastRadius(new MemoryStore(DestroyBudget), () => 0),
    () => ({ policy: defaultPolicy, agentDestroyLimit: 3 }),
  );
  await controller.initialize();
  await controller.refresh();
  const { id } = await controller.createInstance({ name: 'web' }, 'here');
  fill(here, id, 'as it was');
  const host = new SwarmHost(async () => ({ controller, gate, dispose: () => controller.dispose() }) as never);
  await host.core();
  const view = new InstancesView(host, { get: () => undefined, update: async () => {} } as never);
  view.refresh();
  const health = { node: () => undefined };
  const migrations = new MigrationsView(host);
  const face = { host, view, health, migrations, log: { error: () => {}, debug: () => {} } } as unknown as Face;
  const run = async (command: string, answers: readonly Answer[] = [], rows: string[] = []) => {
    editor.answers.push(...answers);
    await commandTable.find(one => one.id === `remoteSwarm.${command}`)?.run(face, { rows });
    expect(editor.answers).toEqual([]);
  };
  const named = (name: string) => controller.listInstances().find(({ config }) => config.name === name);
  return { controller, here, there, id, run, named };
}

describe('snapshots', () => {
  test('are taken of one instance, and say what they cost', async () => {
    const { controller, id, run } = await makeWindow();
    await run('takeSnapshot', [['Take a Snapshot', 'web']]);
    expect(controller.snapshots.listSnapshots(id)).toHaveLength(1);
    expect(editor.messages.at(-1)?.text).toBe('Snapshot of web: 9 bytes, 9 bytes new.');
  });

  test('become a new instance, with a free name, where the person says', async () => {
    const { here, there, id, run, named } = await makeWindow();
    await run('takeSnapshot', [], [id]);
    fill(here, id, 'as it became');
    await run('restoreSnapshot', [
      ['Restore a Snapshot', 'web'],
      ['Restore a Snapshot of web', 'As a New Instance'],
      ['Restore a Snapshot of web', 'web-2'],
      ['Restore a Snapshot of web', 'there'],
    ]);
    expect(contentOf(there, named('web-2')?.id ?? '')).toBe('as it was');
    expect(contentOf(here, id)).toBe('as it became');
    expect(editor.messages.at(-1)).toMatchObject({ text: 'web-2 is there, with its whole home.', buttons: ['Open'] });
  });

  test('become the home of their instance again once a person agrees, and not before', async () => {
    const { here, id, run } = await makeWindow();
    await run('takeSnapshot', [], [id]);
    fill(here, id, 'as it became');
    const wish: readonly Answer[] = [
      ['Restore a Snapshot', 'web'],
      ['Restore a Snapshot of web', 'Into web Itself'],
    ];
    await run('restoreSnapshot', [...wish, ['Reset the home of "web" to the snapshot?', undefined]]).catch(() => {});
    expect(contentOf(here, id)).toBe('as it became');
    await run('restoreSnapshot', [...wish, ['Reset the home of "web" to the snapshot?', 'Reset Home']], [id]);
    expect(contentOf(here, id)).toBe('as it was');
  });

  test('where there is none, one is offered to be taken', async () => {
    const { run } = await makeWindow();
    await run('restoreSnapshot', [['There is no snapshot yet.', undefined]]);
    expect(editor.messages.at(-1)).toMatchObject({ text: 'There is no snapshot yet.', buttons: ['Take Snapshot'] });
  });

  test('a fork is another instance with the same home', async () => {
    const { here, id, run, named } = await makeWindow();
    await run(
      'forkInstance',
      [
        ['Fork web', 'twin'],
        ['Fork web', 'here'],
      ],
      [id],
    );
    expect(contentOf(here, named('twin')?.id ?? '')).toBe('as it was');
  });

  test('are deleted once a person agrees', async () => {
    const { controller, id, run } = await makeWindow();
    await run('takeSnapshot', [], [id]);
    await run('deleteSnapshot', [
      ['Delete a Snapshot', 'web'],
      ['Delete the snapshot of "web"?', 'Delete Snapshot'],
    ]);
    expect(controller.snapshots.listSnapshots()).toEqual([]);
  });
});
