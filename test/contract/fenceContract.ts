import { describe, expect, test } from 'vitest';
import { lockLost } from '../../src/model/errors.ts';
import type { LockedContext } from '../../src/model/operationContext.ts';
import type { InstanceSpec } from '../../src/model/provider.ts';
import { loneContext } from '../fakes/loneProvider.ts';
import type { HealthContract } from './healthContract.ts';
import { testSwarmId } from './specs.ts';
import { expectCode, fillHome, homeDigest } from './tools.ts';

/** A lock that is proven as often as `proofs` tells, and lost from the `at`th time on. */
function losing(
  id: string,
  at = Number.POSITIVE_INFINITY,
): { ctx: LockedContext; proofs(): number; isLost(): boolean } {
  let proofs = 0;
  const assertHeld = () => {
    proofs += 1;
    if (proofs >= at) throw lockLost(id);
  };
  return { ctx: { ...loneContext, lock: { assertHeld } }, proofs: () => proofs, isLost: () => proofs >= at };
}

/** What a provider promises to a window that loses its lock in the middle of a change (semantics 44). */
export function describeFenceContract({ provider, world, specOf, run }: HealthContract): void {
  const observed = async (id: string) => (await provider().abilities.observe()).filter(row => row.id === id);
  const runs = { role: 'owner', status: 'running' };

  /** Each change of an instance that runs, after which `again` lets it run as before. */
  const changes: readonly [
    name: string,
    change: (spec: InstanceSpec, ctx: LockedContext, turn: number) => Promise<unknown>,
    again: (id: string) => Promise<unknown>,
  ][] = [
    [
      'a move to the trash',
      ({ identity }, ctx) => provider().abilities.trashInstance(identity.id, ctx),
      async id => {
        await provider().abilities.restoreInstance(id);
        await provider().startInstance(id);
      },
    ],
    [
      'a recreate',
      async (spec, ctx) => {
        const { generation } = (await provider().getInstance(spec.identity.id)) ?? {};
        return provider().abilities.recreateInstance({ ...spec, identity: { ...spec.identity, generation } }, ctx);
      },
      async () => {},
    ],
    [
      'a change of its owner',
      ({ identity }, ctx, turn) =>
        provider().abilities.transfer(
          identity.id,
          { swarmId: testSwarmId(), epoch: 4 + turn, owner: { user: 'bob', machine: 'desk' } },
          ctx,
        ),
      async () => {},
    ],
  ];

  /** Whether it was; how often a lock is proven may differ from one time to the next. */
  async function cutOff(
    { ctx, isLost }: ReturnType<typeof losing>,
    work: (ctx: LockedContext) => Promise<unknown>,
  ): Promise<boolean> {
    const error: unknown = await work(ctx).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (isLost()) expect(error).toMatchObject({ code: 'lock-lost' });
    else expect(error).toBeUndefined();
    return isLost();
  }

  describe('of a lock that is lost on the way', () => {
    test('a change goes no further, wherever that is, and whoever has the lock then ends it', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      await provider().createInstance(spec);
      await run(id, fillHome);
      const before = await run(id, homeDigest);
      for (const [name, change, again] of changes) {
        // Before anything is done of it. The first proof is that of its caller.
        await expectCode(change(spec, losing(id, 2).ctx, 1), 'lock-lost');
        expect(await observed(id), name).toMatchObject([runs]);
        const whole = losing(id);
        await change(spec, whole.ctx, 1);
        await again(id);
        expect(whole.proofs(), name).toBeGreaterThan(1);
        // Before the last thing.
        await cutOff(losing(id, whole.proofs()), ctx => change(spec, ctx, 2));
        expect((await observed(id)).length, name).toBeLessThanOrEqual(1);
        await change(spec, loneContext, 2);
        await again(id);
        expect(await observed(id), name).toMatchObject([runs]);
        expect(await run(id, homeDigest), name).toBe(before);
      }
      await provider().deleteInstance(id);
    });

    test('a creation and a deletion leave what the next one makes whole, or gone', async () => {
      const spec = specOf();
      const { id } = spec.identity;
      const until = async (work: (ctx: LockedContext) => Promise<unknown>) => {
        for (let at = 1; await cutOff(losing(id, at), work); at *= 2)
          expect((await observed(id)).length).toBeLessThanOrEqual(1);
      };
      await until(ctx => provider().createInstance(spec, ctx));
      expect(await observed(id)).toMatchObject([runs]);
      await run(id, fillHome);
      const before = await run(id, homeDigest);
      await expectCode(provider().deleteInstance(id, losing(id, 1).ctx), 'lock-lost');
      expect(await run(id, homeDigest)).toBe(before);
      await until(ctx => provider().deleteInstance(id, ctx));
      expect(await world().exists(id)).toBe(false);
    });
  });
}
