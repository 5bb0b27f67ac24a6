import { describe, expect, test } from 'vitest';
import type { Claim } from '../../src/model/operationContext.ts';

import type { InstanceHeir, InstanceSpec, Provider } from '../../src/model/provider.ts';
import { loneContext } from '../fakes/loneProvider.ts';
import type { HealthContract } from './healthContract.ts';
import { testSwarmId } from './specs.ts';
import { expectCode, failure, fillHome, homeDigest } from './tools.ts';

/** What a provider promises to swarms that hand an instance over, or have an older state than it (semantics 40, 41). */
export function describeOwnershipContract(
  { provider, world, specOf, run }: HealthContract,
  makeProvider: () => Promise<Provider>,
): void {
  const observed = async (id: string) => (await provider().abilities.observe()).filter(row => row.id === id);
  const as = (claim: Claim) => ({ ...loneContext, claim });
  const bob = (): InstanceHeir => ({ swarmId: testSwarmId(), epoch: 4, owner: { user: 'bob', machine: 'desk' } });
  const claimOf = ({ identity }: InstanceSpec, generation = 0): Claim => ({ ...identity, generation });
  /** Each act on an instance, for whoever claims it. */
  const actsOf = (spec: InstanceSpec, claim: Claim): (() => Promise<unknown>)[] => {
    const { id } = spec.identity;
    const { abilities } = provider();
    const old = { ...spec, identity: { ...spec.identity, ...claim } } as InstanceSpec;
    return [
      () => provider().startInstance(id, as(claim)),
      () => provider().stopInstance(id, false, as(claim)),
      () => provider().updateInstance(id, { ports: [3000] }, as(claim)),
      () => abilities.trashInstance(id, as(claim)),
      () => abilities.restoreInstance(id, as(claim)),
      () => abilities.setRole(id, 'parked', as(claim)),
      () => abilities.transfer(id, { ...bob(), swarmId: testSwarmId() }, as(claim)),
      () => abilities.recreateInstance(old),
      () => provider().createInstance(old),
      () => provider().deleteInstance(id, as(claim)),
    ];
  };

  describe('of whose an instance is', () => {
    test('each change of its role is of a later generation, which the list tells', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      const { abilities } = provider();
      await provider().createInstance(spec);
      expect((await observed(id))[0]?.generation ?? 0).toBe(0);
      await abilities.trashInstance(id, as(claimOf(spec)));
      expect(await observed(id)).toMatchObject([{ role: 'trash', generation: 1, epoch: 1 }]);
      // Its caller may know of changes that never came here.
      expect(await abilities.restoreInstance(id, as(claimOf(spec, 4)))).toMatchObject({ role: 'owner', generation: 5 });
      await abilities.restoreInstance(id, as(claimOf(spec, 9)));
      await abilities.setRole(id, 'parked');
      expect(await observed(id)).toMatchObject([{ role: 'parked', generation: 6 }]);
      await abilities.setRole(id, 'owner');
      expect(await provider().startInstance(id, as(claimOf(spec, 7)))).toMatchObject({ status: 'running' });
      expect(await provider().getInstance(id)).toMatchObject({ generation: 7, swarmId: spec.identity.swarmId });
      expect((await provider().listInstances()).find(each => each.id === id)).toMatchObject({ generation: 7 });
      await provider().deleteInstance(id, as(claimOf(spec, 7)));
    });

    test('a state that is older than it does nothing to it', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      await provider().createInstance(spec);
      await run(id, fillHome);
      const before = await run(id, homeDigest);
      await provider().abilities.trashInstance(id, as(claimOf(spec)));
      await provider().abilities.restoreInstance(id, as(claimOf(spec, 1)));
      await provider().startInstance(id, as(claimOf(spec, 2)));
      for (const act of actsOf(spec, claimOf(spec, 1))) await expectCode(act(), 'older-state');
      expect(await observed(id)).toMatchObject([{ role: 'owner', status: 'running', generation: 2 }]);
      expect(await run(id, homeDigest)).toBe(before);
      await provider().deleteInstance(id, as(claimOf(spec, 2)));
      expect(await world().exists(id)).toBe(false);
    });

    test('it is handed over as it is: the list tells its owner, and who had it can do nothing to it', async () => {
      const spec = specOf({ env: { MODE: 'kept' } });
      const { id, createdAt } = spec.identity;
      const heir = bob();
      await provider().createInstance(spec);
      await run(id, fillHome);
      const before = await run(id, homeDigest);
      for (const _ of [1, 2]) {
        expect(await provider().abilities.transfer(id, heir, as(claimOf(spec)))).toMatchObject({
          ...{ ...heir, id, createdAt, generation: 1, role: 'owner', status: 'running' },
          config: { name: spec.name },
        });
      }
      expect(await observed(id)).toMatchObject([
        { swarmId: heir.swarmId, epoch: 4, generation: 1, role: 'owner', status: 'running' },
      ]);
      const seen = await provider().getInstance(id);
      expect(seen).toMatchObject({ ...heir, adoptedAt: expect.stringMatching(/^\d{4}-/) });
      const whole = await provider().abilities.describe?.((await observed(id))[0] as never);
      if (provider().abilities.describe) expect(whole).toMatchObject(heir);
      expect((await provider().listInstances()).find(each => each.id === id)).toMatchObject(heir);

      for (const act of actsOf(spec, claimOf(spec, 9))) {
        const error = await failure(act());
        expect(error).toMatchObject({ code: expect.stringMatching(/^(owned-by-another|id-taken)$/) });
      }
      expect(await failure(provider().deleteInstance(id, as(claimOf(spec))))).toMatchObject({
        code: 'owned-by-another',
        message: expect.stringContaining('bob@desk'),
      });
      expect(await observed(id)).toMatchObject([{ role: 'owner', status: 'running', generation: 1 }]);
      expect(await run(id, homeDigest)).toBe(before);

      // Its new owner has it whole.
      const claim = { ...heir, generation: 1 };
      await provider().stopInstance(id, false, as(claim));
      await provider().abilities.trashInstance(id, as(claim));
      await provider().abilities.restoreInstance(id, as({ ...claim, generation: 2 }));
      const own = { ...spec, identity: { ...spec.identity, ...heir, generation: 3 } };
      expect(await provider().abilities.recreateInstance(own)).toMatchObject({ ...heir, status: 'running' });
      expect(await run(id, homeDigest)).toBe(before);
      expect(await run(id, 'echo $MODE')).toBe('kept\n');
      expect(await observed(id)).toMatchObject([{ swarmId: heir.swarmId, epoch: 4, generation: 3 }]);
      expect(await provider().deleteInstance(id, as({ ...claim, generation: 3 }))).toBe(true);
      expect(await world().exists(id)).toBe(false);
    });

    test('who had it finds nothing of its own when its server is lost, and its new owner makes it anew', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      const heir = bob();
      await provider().createInstance(spec);
      await run(id, 'echo mine > file');
      await provider().abilities.transfer(id, heir, as(claimOf(spec)));
      await world().loseServer(id);
      await failure(provider().abilities.recreateInstance(spec));
      await failure(provider().deleteInstance(id, as(claimOf(spec))));
      expect(
        (await provider().abilities.strayHomes?.(spec.identity.swarmId))?.map(home => home.id) ?? [],
      ).not.toContain(id);
      const own = { ...spec, identity: { ...spec.identity, ...heir, generation: 1 } };
      expect(await provider().abilities.recreateInstance(own)).toMatchObject({ ...heir, status: 'running' });
      expect(await run(id, 'cat file')).toBe('mine\n');
      await provider().deleteInstance(id, as({ ...heir, generation: 1 }));
    });

    test('what is in the trash is handed over there', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      const heir = bob();
      await provider().createInstance(spec);
      await provider().abilities.trashInstance(id);
      const handed = await provider().abilities.transfer(id, heir, as(claimOf(spec, 1)));
      expect(handed).toMatchObject({ ...heir, role: 'trash', status: 'trashed', generation: 2 });
      await expectCode(provider().abilities.restoreInstance(id, as(claimOf(spec, 2))), 'owned-by-another');
      expect(await observed(id)).toMatchObject([{ role: 'trash', swarmId: heir.swarmId }]);
      await provider().deleteInstance(id, as({ ...heir, generation: 2 }));
    });

    test('what a later version has noted beside its home stays: it is shown, is no stray home, and is not made anew', async () => {
      const noted = async (id: string) => world().noteLater?.(id);
      const spec = specOf();
      const { id } = spec.identity;
      await provider().createInstance(spec);
      await run(id, fillHome);
      const before = await run(id, homeDigest);
      const later = await noted(id);
      if (later) {
        expect(await observed(id)).toHaveLength(1);
        const strays = await provider().abilities.strayHomes?.(spec.identity.swarmId);
        expect(strays?.map(home => home.id) ?? []).not.toContain(id);
        await expectCode(provider().updateInstance(id, { ports: [3000] }), 'reserved-file-unreadable');
        await expectCode(provider().abilities.recreateInstance(spec), 'reserved-file-unreadable');
        expect(await later.isKept()).toBe(true);
        await later.undo();
      }
      expect(await run(id, homeDigest)).toBe(before);
      await provider().deleteInstance(id);
    });

    test('of two that take it over at once one has it, and the other is told', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      await provider().createInstance(spec);
      const [ours, theirs] = await Promise.all([makeProvider(), makeProvider()]);
      const heirs = [bob(), { ...bob(), owner: { user: 'eve', machine: 'lab' } }] as const;
      const outcomes = await Promise.allSettled([
        ours.abilities.transfer(id, heirs[0], as(claimOf(spec))),
        theirs.abilities.transfer(id, heirs[1], as(claimOf(spec))),
      ]);
      const won = outcomes.filter(({ status }) => status === 'fulfilled');
      expect(outcomes.map(({ status }) => status).toSorted(), JSON.stringify(outcomes)).toEqual([
        'fulfilled',
        'rejected',
      ]);
      const winner = heirs[outcomes.indexOf(won[0] as (typeof outcomes)[number])];
      expect(await provider().getInstance(id)).toMatchObject({ ...winner, generation: 1 });
      await Promise.all([ours.dispose(), theirs.dispose()]);
      await provider().deleteInstance(id);
    });
  });
}
