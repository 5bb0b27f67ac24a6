import { afterEach, expect, test } from 'vitest';
import type { SwarmController } from '../../../../src/core/swarmController.ts';
import type { Caller } from '../../../../src/model/caller.ts';
import { quietContext } from '../../../../src/model/operationContext.ts';
import { fill } from '../../../fakes/memoryCarrier.ts';
import { MemoryPlace } from '../../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../../fakes/memoryProvider.ts';
import { memorySwarm } from '../../../fakes/memorySwarm.ts';

const by = (caller: Caller) => ({ ...quietContext, by: { caller, actor: 'somebody' } });
let controller: SwarmController | undefined;
afterEach(() => controller?.dispose());

/** An instance with a secret value that only its provider knows, as after another profile of the editor. */
async function scene() {
  const [here, there] = [new MemoryPlace(), new MemoryPlace()];
  const providers = [new MemoryProvider(here, { id: 'here' }), new MemoryProvider(there, { id: 'there' })];
  const made = memorySwarm({ providers });
  controller = made.controller;
  await made.controller.initialize();
  await made.controller.refresh();
  const config = { name: 'prod', secretEnv: ['KEY'] };
  const { id } = await made.controller.createInstance(config, 'here', by('person'), { KEY: 'only-there' });
  const [home] = providers;
  if (home) fill(home, id, 'work');
  await made.vault.forget(id);
  const variables = () => here.instances.get(id)?.variables;
  return { controller: made.controller, id, here, there, variables, vault: made.vault };
}
const refused = { code: 'denied', message: expect.stringContaining('only its provider knows the value of KEY') };

test.each(['agent', 'client', 'controller'] as const)(
  'by itself or for a program nothing moves away (%s)',
  async who => {
    const { controller, id, there, variables } = await scene();
    const { id: planned, plan } = await controller.migrations.createMigrationPlan(id, 'there', undefined, by(who));
    expect(plan.losses.join()).toContain('KEY');
    await expect(controller.migrations.startMigration(planned, by(who))).rejects.toMatchObject(refused);
    await expect(controller.recoverInstance(id, 'migrate', by(who))).rejects.toMatchObject(refused);
    expect([controller.getInstance(id).providerId, variables(), there.instances.size]).toEqual([
      ...['here', { KEY: 'only-there' }, 0],
    ]);
    expect(controller.migrations.listMigrations().map(migration => migration.status)).toEqual(['pending']);
  },
);

test('the ladder does not mean to move it, and a person who asks for that act, which names no loss, is refused', async () => {
  const { controller, id, there, vault } = await scene();
  expect(await controller.migrations.canMigrate(controller.getInstance(id))).toBe(false);
  await expect(controller.recoverInstance(id, 'migrate', by('person'))).rejects.toMatchObject(refused);
  expect([controller.getInstance(id).providerId, there.instances.size]).toEqual(['here', 0]);
  vault.secrets.set(id, { KEY: 'known again' });
  expect(await controller.migrations.canMigrate(controller.getInstance(id))).toBe(true);
});

test('a person who has read what is lost moves it', async () => {
  const { controller, id } = await scene();
  const { id: planned } = await controller.migrations.createMigrationPlan(id, 'there', undefined, by('agent'));
  const { status } = await controller.migrations.startMigration(planned, by('person'));
  expect([status, controller.getInstance(id).providerId]).toEqual(['completed', 'there']);
});
