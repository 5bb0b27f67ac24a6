import { describe, expect, test } from 'vitest';
import { isAbort } from '../../src/model/errors.ts';
import type { InstanceConfigInput } from '../../src/model/instance.ts';
import { quietContext, withTimeout } from '../../src/model/operationContext.ts';
import type { InstanceSpec } from '../../src/model/provider.ts';
import type { LoneProvider } from '../fakes/loneProvider.ts';
import type { ContractWorld } from './providerContract.ts';
import { testSwarmId } from './specs.ts';
import { expectCode, failure, fillHome, homeDigest, watchedContext } from './tools.ts';

/** What the suite around lends. */
export interface HealthContract {
  provider(): LoneProvider;
  world(): ContractWorld;
  specOf(config?: Partial<InstanceConfigInput>, secrets?: Record<string, string>): InstanceSpec;
  /** Runs a command that must succeed, and answers with what it printed. */
  run(id: string, command: string): Promise<string>;
}

const soon = () => withTimeout(quietContext, 10_000);

/** What a provider promises to whoever watches its instances and mends them. */
export function describeHealthContract({ provider, world, specOf, run }: HealthContract): void {
  const created = async (config?: Partial<InstanceConfigInput>, secrets?: Record<string, string>) => {
    const spec = specOf(config, secrets);
    await provider().createInstance(spec);
    return { spec, id: spec.identity.id };
  };
  const probe = (id: string, port?: number) => provider().abilities.probe(id, port, soon());
  const hasHome = (id: string) => provider().abilities.hasHome(id);
  const recreate = (spec: InstanceSpec) => provider().abilities.recreateInstance(spec);
  const rowsOf = async (id: string) => (await provider().abilities.observe()).filter(row => row.id === id);

  describe('to whoever watches it', () => {
    test('a probe is answered while the server runs, on the port that was observed or without one', async () => {
      const { id } = await created();
      const [row] = await rowsOf(id);
      for (const port of [row?.port, undefined]) {
        const answer = await probe(id, port);
        expect(answer).toEqual({ answered: true, latencyMs: expect.any(Number) });
        expect(answer.latencyMs).toBeGreaterThan(0);
      }
      await provider().deleteInstance(id);
    });

    test('a probe of a server that ended says what came instead, and the instance that it was not asked to', async () => {
      const { id } = await created();
      const [row] = await rowsOf(id);
      await world().crash(id);
      for (const port of [row?.port, undefined]) {
        expect(await probe(id, port)).toMatchObject({
          answered: false,
          seen: expect.stringMatching(/^(refused|closed) the connection$|^does not run$/),
        });
      }
      const ended = await provider().getInstance(id);
      expect(ended?.status).toBe('stopped');
      // A place that can't tell by whom it was ended leaves the cause out.
      expect([undefined, 'exited']).toContain(ended?.cause);
      expect(await provider().startInstance(id)).not.toHaveProperty('cause');
      expect(await probe(id)).toMatchObject({ answered: true });
      await provider().deleteInstance(id);
    });

    test('a server of another instance, on the port that it had, is no answer of it', async () => {
      const [ended, other] = [await created(), await created()];
      await world().crash(ended.id);
      const [row] = await rowsOf(other.id);
      expect(await probe(ended.id, row?.port)).toMatchObject({ answered: false });
      expect(await probe(other.id, row?.port)).toMatchObject({ answered: true });
      for (const { id } of [ended, other]) await provider().deleteInstance(id);
    });

    test('what a list heard of an editor server is an answer, and only of one that runs', async () => {
      const { id } = await created();
      const heard = async () => (await rowsOf(id)).map(row => provider().abilities.heard?.(row));
      expect([undefined, { answered: true, latencyMs: expect.any(Number) }]).toContainEqual((await heard())[0]);
      await provider().stopInstance(id);
      expect(await heard()).toEqual([undefined]);
      await provider().deleteInstance(id);
    });

    test('a stop that was asked for has no cause, politely or not', async () => {
      const { id } = await created();
      for (const force of [false, true]) {
        expect(await provider().stopInstance(id, force)).not.toHaveProperty('cause');
        expect(await provider().getInstance(id)).not.toHaveProperty('cause');
        expect(await probe(id)).toMatchObject({ answered: false });
        await provider().startInstance(id);
      }
      await provider().deleteInstance(id);
    });

    test('a probe of what is not there is not answered, and a caller who goes gets the reason', async () => {
      const { id } = specOf().identity;
      expect(await probe(id)).toMatchObject({ answered: false });
      const gone = watchedContext();
      gone.abort();
      expect(isAbort(await failure(provider().abilities.probe(id, undefined, gone)))).toBe(true);
    });

    test('a home is there from the create to the delete, whatever becomes of its server', async () => {
      const { id } = await created();
      expect(await hasHome(id)).toBe(true);
      await provider().stopInstance(id);
      expect(await hasHome(id)).toBe(true);
      await provider().abilities.trashInstance(id);
      expect(await hasHome(id)).toBe(true);
      await provider().abilities.restoreInstance(id);
      await world().loseServer(id);
      expect(await hasHome(id)).toBe(true);
      await provider().deleteInstance(id);
      expect(await hasHome(id)).toBe(false);
      expect(await world().exists(id)).toBe(false);
      expect(await hasHome(specOf().identity.id)).toBe(false);
    });
  });

  describe('to whoever makes it anew', () => {
    test.each([
      ['that runs', async () => {}],
      ['that was stopped', (id: string) => provider().stopInstance(id)],
      ['whose server crashed', (id: string) => world().crash(id)],
      ['whose server was removed behind our back', (id: string) => world().loseServer(id)],
    ])('an instance %s keeps its home byte for byte and its token, and answers', async (_, bring) => {
      const { spec, id } = await created(
        { env: { PLAIN: 'before' }, secretEnv: ['SECRET'], metadata: { team: 'a' } },
        { SECRET: 'open-sesame-4711' },
      );
      await run(id, fillHome);
      const token = await provider().abilities.readToken(id);
      const before = await run(id, homeDigest);
      await bring(id);
      const changed = { ...spec, name: `anew ${id}`, env: { PLAIN: 'after' }, secrets: {} };
      const { identity, secrets: _secrets, ...config } = changed;
      const made = await recreate(changed);
      expect(made).toMatchObject({ ...identity, config, role: 'owner', status: 'running', providerId: provider().id });
      expect(made).not.toHaveProperty('cause');
      expect(await provider().getInstance(id)).toEqual(made);
      expect(await rowsOf(id)).toMatchObject([{ role: 'owner', status: 'running' }]);
      expect(await probe(id, made.port)).toMatchObject({ answered: true });
      expect(await provider().abilities.readToken(id)).toBe(token);
      expect(await run(id, homeDigest)).toBe(before);
      expect(await run(id, 'echo $PLAIN $SECRET')).toBe('after open-sesame-4711\n');
      await provider().deleteInstance(id);
      expect(await world().exists(id)).toBe(false);
    });

    test('a repeated call, as after a lost answer, ends with one server that runs', async () => {
      const { spec, id } = await created();
      await run(id, 'echo kept > file');
      await Promise.all([recreate(spec), recreate(spec)]);
      expect(await recreate(spec)).toMatchObject({ id, status: 'running' });
      expect(await rowsOf(id)).toHaveLength(1);
      expect(await run(id, 'cat file')).toBe('kept\n');
      await provider().deleteInstance(id);
    });

    test('cut off at any point it has lost nothing, and can be repeated', async () => {
      const { spec, id } = await created();
      await run(id, 'echo kept > file');
      for (let abortAt = 1; abortAt < 10; abortAt++) {
        const ctx = watchedContext(abortAt);
        const outcome = await provider()
          .abilities.recreateInstance(spec, ctx)
          .catch((error: unknown) => error);
        expect(await hasHome(id), ctx.reports.at(-1)).toBe(true);
        if (!ctx.signal.aborted) break;
        if (!isAbort(outcome)) expect(outcome).toMatchObject({ status: 'running' });
      }
      expect(await recreate(spec)).toMatchObject({ status: 'running' });
      expect(await rowsOf(id)).toHaveLength(1);
      expect(await run(id, 'cat file')).toBe('kept\n');
      await provider().deleteInstance(id);
    });

    test('an instance whose home is gone is refused, and nothing is made', async () => {
      const { spec, id } = await created();
      await world().loseHome(id);
      expect(await hasHome(id)).toBe(false);
      const before = await world().exists(id);
      await expectCode(recreate(spec), 'home-missing');
      await expectCode(recreate(specOf()), 'home-missing');
      expect(await world().exists(id)).toBe(before);
      expect(await hasHome(id)).toBe(false);
      expect(await probe(id)).toMatchObject({ answered: false });
      await provider().deleteInstance(id);
      expect(await world().exists(id)).toBe(false);
    });

    test('an instance in the trash, and one of another swarm, are left as they are', async () => {
      const { spec, id } = await created();
      const stolen = { ...spec, identity: { ...spec.identity, swarmId: testSwarmId() } };
      await expectCode(recreate(stolen), 'id-taken');
      expect(await provider().getInstance(id)).toMatchObject({ swarmId: spec.identity.swarmId, status: 'running' });
      await provider().abilities.trashInstance(id);
      await expectCode(recreate({ ...spec, name: `other ${id}` }), 'wrong-state');
      expect(await rowsOf(id)).toMatchObject([{ role: 'trash', status: 'trashed' }]);
      expect((await provider().getInstance(id))?.config.name).toBe(spec.name);
      await provider().deleteInstance(id);
    });
  });
}
