import { beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultPolicy } from '../../../src/model/config.ts';
import { BlastRadius, DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { OperationGate } from '../../../src/operations/operationGate.ts';
import type { Face } from '../../../src/vscode/face.ts';
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

/** A window whose swarm has an instance "web" at `here`, and the place `there` to move to. */
async function makeWindow() {
  const there = new MemoryPlace();
  const { controller } = memorySwarm({
    providers: [
      new MemoryProvider(new MemoryPlace(), { id: 'here' }),
      new MemoryProvider(there, { id: 'there' }),
      new MemoryProvider(new MemoryPlace(), { id: 'small', capabilities: { maxInstancesPerUser: 0 } }),
    ],
    defaultProviderType: 'here',
  });
  const gate = new OperationGate(
    controller,
    { append: async () => {} },
    new BlastRadius(new MemoryStore(DestroyBudget), () => 0),
    () => ({ policy: defaultPolicy, agentDestroyLimit: 3 }),
  );
  await controller.initialize();
  await controller.refresh();
  const { id } = await controller.createInstance({ name: 'web' }, 'here');
  const config = { migration: { enabled: true, defaultStrategy: 'create-then-stop', timeout: 60 } };
  const host = new SwarmHost(async () => ({ controller, gate, config, dispose: () => controller.dispose() }) as never);
  await host.core();
  const view = new InstancesView(host, { get: () => undefined, update: async () => {} } as never);
  view.refresh();
  const migrations = new MigrationsView(host);
  const health = { node: () => undefined };
  const face = { host, view, health, migrations, log: { error: () => {}, debug: () => {} } } as unknown as Face;
  const run = async (command: string, answers: readonly Answer[] = [], rows: string[] = []) => {
    editor.answers.push(...answers);
    await commandTable.find(one => one.id === `remoteSwarm.${command}`)?.run(face, { rows });
    expect(editor.answers).toEqual([]);
    migrations.refresh();
  };
  const liveOn = () => controller.getInstance(id).providerId;
  return { controller, id, migrations, run, liveOn };
}

const wish: readonly Answer[] = [
  ['Migrate an Instance', 'web'],
  ['Migrate web', 'there'],
  ['Migrate web', 'Copy, then stop'],
];
const agreed: Answer = ['Migrate "web" from here to there?', 'Start Migration'];

describe('migrating', () => {
  test('asks where and how, shows what it takes, and moves the instance; its row says so', async () => {
    const { migrations, run, liveOn } = await makeWindow();
    await run('migrate', [...wish, agreed]);
    expect(liveOn()).toBe('there');
    const plan = editor.messages.find(({ text }) => text.startsWith('Migrate "web"'));
    expect(plan?.detail).toMatch(/files will be copied and compared\./);
    expect(plan?.detail).toMatch(/It will not run for about/);
    expect(editor.messages.at(-1)).toMatchObject({ text: 'web lives on there now.', buttons: ['Open'] });
    const [row = ''] = migrations.getChildren();
    expect(migrations.migration(row)).toMatchObject({ instanceName: 'web', status: 'completed' });
    expect(migrations.getChildren(row)).toHaveLength(10);
  });

  test('shows who cannot take it below the others', async () => {
    const { run } = await makeWindow();
    await run('migrate', [
      ['Migrate an Instance', 'web'],
      ['Migrate web', undefined],
    ]);
    expect(editor.picks.at(-1)).toEqual(['$(server-environment) there', 'Cannot take it', '$(circle-slash) small']);
  });

  test('a plan that nobody agrees to moves nothing, and has no row', async () => {
    const { migrations, run, liveOn } = await makeWindow();
    await run('migrate', [...wish, ['Migrate "web"', undefined]]);
    expect(liveOn()).toBe('here');
    expect(migrations.getChildren()).toEqual([]);
  });

  test('is rolled back from its row, after a question', async () => {
    const { migrations, run, liveOn } = await makeWindow();
    await run('migrate', [...wish, agreed]);
    await run('rollBackMigration', [], migrations.getChildren()).catch(() => {});
    expect(liveOn()).toBe('there');
    const question: Answer = ['Roll the migration of "web" back?', 'Roll Back Migration'];
    await run('rollBackMigration', [question], migrations.getChildren());
    expect(liveOn()).toBe('here');
  });

  test('cleaning up removes the old copy, after a question, and then there is no way back', async () => {
    const { controller, migrations, run } = await makeWindow();
    await run('migrate', [...wish, agreed]);
    const question: Answer = ['Remove the parked copy of "web" for good?', 'Clean Up Parked Copy'];
    await run('cleanUpMigration', [question], migrations.getChildren());
    expect(controller.migrations.listMigrations()[0]?.parkedUntil).toBeUndefined();
    await run('rollBackMigration', []);
    expect(editor.messages.at(-1)?.text).toBe('No migration is in a state that fits.');
  });
});
