import { describe, expect, test } from 'vitest';
import { SwarmError } from '../../src/model/errors.ts';
import type { InstanceSpec } from '../../src/model/provider.ts';
import type { HealthContract } from './healthContract.ts';
import { testSwarmId } from './specs.ts';
import { expectCode, failure, fillHome, homeDigest, watchedContext } from './tools.ts';

/** What a provider promises to whoever moves instances from place to place. */
export function describeRoleContract({ provider, world, specOf, run }: HealthContract): void {
  const roles = async (id: string) => (await provider().abilities.observe()).filter(row => row.id === id);
  const later = (spec: InstanceSpec): InstanceSpec => ({ ...spec, identity: { ...spec.identity, epoch: 7 } });

  describe('to whoever moves instances', () => {
    test('a target is made stopped, once, with a token of its own, and starts when it is the owner', async () => {
      const spec = later(specOf({ env: { MODE: 'moved' } }));
      const { id } = spec.identity;
      const { abilities } = provider();
      const made = { id, role: 'incoming', status: 'stopped', epoch: 7 };
      expect(await abilities.prepareIncoming(spec)).toMatchObject(made);
      const token = await abilities.readToken(id);
      expect(await abilities.prepareIncoming(spec)).toMatchObject(made);
      expect(await abilities.readToken(id)).toBe(token);
      expect(await roles(id)).toMatchObject([{ role: 'incoming', status: 'stopped', epoch: 7 }]);
      expect(await abilities.hasHome(id)).toBe(true);
      await expectCode(provider().startInstance(id), 'wrong-state');
      await expectCode(abilities.recreateInstance(spec), 'wrong-state');

      expect(await abilities.setRole(id, 'owner')).toMatchObject({ role: 'owner', status: 'stopped', epoch: 7 });
      expect(await provider().startInstance(id)).toMatchObject({ role: 'owner', status: 'running', epoch: 7 });
      expect(await run(id, 'echo $MODE')).toBe('moved\n');
      await provider().deleteInstance(id);
    });

    test('a target that was given up goes as a whole', async () => {
      const spec = later(specOf());
      await provider().abilities.prepareIncoming(spec);
      expect(await provider().deleteInstance(spec.identity.id)).toBe(true);
      expect(await world().exists(spec.identity.id)).toBe(false);
      expect(await roles(spec.identity.id)).toEqual([]);
    });

    test('no target is made where there is something else of that id', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      const { abilities } = provider();
      await provider().createInstance(spec);
      await expectCode(abilities.prepareIncoming(later(spec)), 'id-taken');
      expect(await roles(id)).toMatchObject([{ role: 'owner', status: 'running', epoch: 1 }]);
      await provider().deleteInstance(id);

      await abilities.prepareIncoming(spec);
      await expectCode(abilities.prepareIncoming(later(spec)), 'id-taken');
      const stolen = { ...spec, identity: { ...spec.identity, swarmId: testSwarmId() } };
      await expectCode(abilities.prepareIncoming(stolen), 'id-taken');
      expect(await roles(id)).toMatchObject([{ role: 'incoming', epoch: 1 }]);
      await provider().deleteInstance(id);
    });

    test('a removal that is cut off leaves it as it was, or to be ended only', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      const { abilities } = provider();
      await provider().createInstance(spec);
      await run(id, fillHome);
      const before = await run(id, homeDigest);
      await abilities.setRole(id, 'parked');
      await provider()
        .deleteInstance(id, watchedContext(1))
        .catch(() => {});
      // A list may be older than what was written last.
      const left = await provider().getInstance(id);
      if (left?.role === 'parked') {
        await abilities.setRole(id, 'owner');
        await provider().startInstance(id);
        expect(await run(id, homeDigest)).toBe(before);
      } else if (left) {
        expect(left).toMatchObject({ role: 'removing', status: 'deleting' });
        expect(await abilities.hasHome(id)).toBe(false);
        await expectCode(abilities.setRole(id, 'owner'), 'removal-begun');
        await expectCode(abilities.restoreInstance(id), 'removal-begun');
        await expectCode(abilities.prepareIncoming(later(spec)), 'removal-begun');
        await expectCode(provider().startInstance(id), 'wrong-state');
        await expectCode(provider().createInstance(spec), 'wrong-state');
        expect(await failure(abilities.recreateInstance(spec))).toBeInstanceOf(SwarmError);
      }
      await provider().deleteInstance(id);
      expect(await world().exists(id)).toBe(false);
      expect(await roles(id)).toEqual([]);
    });

    test('what is parked is stopped, cannot be started, and comes back as it was', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      const { abilities } = provider();
      await provider().createInstance(spec);
      await run(id, fillHome);
      const before = await run(id, homeDigest);
      for (const _ of [1, 2]) {
        expect(await abilities.setRole(id, 'parked')).toMatchObject({ role: 'parked', status: 'stopped' });
      }
      expect(await roles(id)).toMatchObject([{ role: 'parked', status: 'stopped', epoch: 1 }]);
      await expectCode(provider().startInstance(id), 'wrong-state');
      expect(await failure(provider().createInstance(spec))).toMatchObject({ code: 'wrong-state' });
      expect(await roles(id)).toMatchObject([{ role: 'parked', status: 'stopped' }]);
      expect(await world().readHome(id, 'workspace/t/link')).toBeDefined();

      expect(await abilities.setRole(id, 'owner')).toMatchObject({ role: 'owner', status: 'stopped' });
      await provider().startInstance(id);
      expect(await run(id, homeDigest)).toBe(before);
      await abilities.setRole(id, 'parked');
      expect(await provider().deleteInstance(id)).toBe(true);
      expect(await world().exists(id)).toBe(false);
    });
  });
}
