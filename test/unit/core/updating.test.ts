import { afterEach, describe, expect, test } from 'vitest';
import { checkSecrets } from '../../../src/core/admission.ts';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import { providerUnreachable, SwarmError } from '../../../src/model/errors.ts';
import { InstanceConfig, InstanceUpdate } from '../../../src/model/instance.ts';
import type { MemoryInstance } from '../../fakes/memoryPlace.ts';
import { type MemorySwarmOptions, memorySwarm } from '../../fakes/memorySwarm.ts';

const swarms: SwarmController[] = [];

async function swarm(options: MemorySwarmOptions = {}) {
  const made = memorySwarm(options);
  swarms.push(made.controller);
  await made.controller.initialize();
  return made;
}
afterEach(async () => {
  await Promise.all(swarms.splice(0).map(controller => controller.dispose()));
});

const refusal = new SwarmError({ family: 'provider', code: 'no-image', message: 'No image.', hint: 'Pull.' });

/** A swarm with one instance, and what the place knows of it. */
async function one(options: MemorySwarmOptions = {}) {
  const made = await swarm(options);
  const config = { name: 'one', env: { A: '1' }, secretEnv: ['KEY'] };
  const { id } = await made.controller.createInstance(config, '', undefined, { KEY: 'old' });
  const there = made.place.instances.get(id) as MemoryInstance;
  return { ...made, id, there, record: () => made.controller.getInstance(id) };
}

test('a stop that failed is still made up for after an update', async () => {
  const { controller, place, id } = await one();
  place.failNext('stopInstance', refusal);
  await expect(controller.stopInstance(id)).rejects.toThrow('No image.');
  await controller.updateInstance(id, { ports: [80] });
  await controller.refresh();
  await expect.poll(() => place.instances.get(id)?.running).toBe(false);
});

describe('the registry is the source', () => {
  test('what an instance wrote into its own mark is overwritten, and never flows back', async () => {
    const { controller, id, there, record } = await one();
    there.config = { ...there.config, name: 'evil', env: { LD: 'x' }, metadata: { a: 'b' }, ports: [1] };
    await controller.updateInstance(id, { ports: [80] });
    expect(record().config).toMatchObject({ name: 'one', env: { A: '1' }, metadata: {}, ports: [80] });
    expect(there.config).toEqual(record().config);
    expect(record().wanted).toBeUndefined();
  });

  test.each(['before', 'after'] as const)('killed %s the provider did it, the next window does it', async moment => {
    const { controller, place, disk, vault, id, there } = await one();
    const pass = place.pass.bind(place);
    let killed = false;
    place.pass = async (providerId, name, ctx, work) => {
      if (name !== 'updateInstance') return pass(providerId, name, ctx, work);
      if (moment === 'after') await pass(providerId, name, ctx, work);
      killed = true;
      return new Promise(() => {});
    };
    void controller.updateInstance(id, { name: 'two', env: { B: '2' } });
    await expect.poll(() => killed).toBe(true);
    place.pass = pass;
    const next = memorySwarm({ place, disk });
    for (const [key, secrets] of vault.secrets) next.vault.secrets.set(key, secrets);
    swarms.push(next.controller);
    await next.controller.initialize();
    await next.controller.refresh();
    expect(next.controller.getInstance(id)).toMatchObject({
      config: { name: 'two', env: { B: '2' } },
      status: 'running',
    });
    expect(next.controller.getInstance(id).wanted).toBeUndefined();
    expect(there).toMatchObject({ config: { name: 'two' }, variables: { B: '2', KEY: 'old' } });
  });

  test('killed while it restarted what runs, the next window starts that, though nobody watches over it', async () => {
    const { controller, place, disk, vault, id, there } = await one();
    let killed = false;
    const pass = place.pass.bind(place);
    place.pass = async (providerId, name, ctx, work) => {
      if (name !== 'updateInstance') return pass(providerId, name, ctx, work);
      await place.halt(there);
      killed = true;
      return new Promise(() => {});
    };
    void controller.updateInstance(id, { env: { B: '2' } });
    await expect.poll(() => killed).toBe(true);
    place.pass = pass;
    const next = memorySwarm({ place, disk, vault, health: { enabled: false } });
    swarms.push(next.controller);
    await next.controller.initialize();
    await expect.poll(() => next.controller.refresh().then(() => there.running), { timeout: 10_000 }).toBe(true);
    expect(next.controller.getInstance(id)).toMatchObject({ status: 'running', config: { env: { B: '2' } } });
  });

  test('one that failed is taken back, also there, and the reason stays to be read', async () => {
    const { controller, place, id, there, record } = await one();
    place.loseReply('updateInstance');
    const update = controller.updateInstance(id, { env: { B: '2' } });
    await expect(update).rejects.toMatchObject({ code: 'provider-unreachable' });
    expect(record()).toMatchObject({ config: { env: { A: '1' } }, error: { code: 'provider-unreachable' } });
    expect(there.config.env).toEqual({ B: '2' });
    await controller.refresh();
    expect(there).toMatchObject({ config: { env: { A: '1' } }, variables: { A: '1', KEY: 'old' } });
    expect(record()).toMatchObject({ config: { env: { A: '1' } }, error: { code: 'provider-unreachable' } });
    expect(record().wanted).toBeUndefined();
  });

  test('a start first brings the place what is wanted', async () => {
    const { controller, place, id, there } = await one();
    await controller.stopInstance(id);
    place.loseReply('updateInstance');
    await controller.updateInstance(id, { env: { B: '2' } }).catch(() => {});
    await controller.startInstance(id);
    expect(there).toMatchObject({ running: true, config: { env: { A: '1' } } });
  });

  test('a cancelled one is taken back', async () => {
    const { controller, place, id, record } = await one();
    place.hang('updateInstance');
    const cancel = new AbortController();
    const update = controller.updateInstance(id, { name: 'two' }, { signal: cancel.signal, report: () => {} });
    await expect.poll(() => place.calls.includes('updateInstance')).toBe(true);
    cancel.abort(new DOMException('Cancelled.', 'AbortError'));
    await expect(update).rejects.toMatchObject({ name: 'AbortError' });
    await controller.refresh();
    expect(record().config.name).toBe('one');
    expect(record().error).toBeUndefined();
    expect(record().wanted).toBeUndefined();
  });

  test('a place that refuses even what was so before is not asked for ever', async () => {
    const { controller, place, id, record } = await one();
    place.failNext('updateInstance', refusal);
    place.failNext('updateInstance', refusal);
    await controller.updateInstance(id, { name: 'two' }).catch(() => {});
    await controller.refresh();
    await controller.refresh();
    expect(place.calls.filter(call => call === 'updateInstance')).toHaveLength(2);
    expect(record()).toMatchObject({ config: { name: 'one' }, status: 'running', error: { code: 'no-image' } });
  });
});

describe('secrets', () => {
  test('those of an update that failed are forgotten, and the old ones kept', async () => {
    const { controller, place, vault, id } = await one();
    place.failNext('updateInstance', refusal);
    await controller.updateInstance(id, { secretEnv: ['NEW'] }, undefined, { NEW: '2' }).catch(() => {});
    expect(vault.secrets.get(id)).toEqual({ KEY: 'old' });
  });

  test('a variable that every object has is no secret that somebody stored', () => {
    expect(() => checkSecrets(['constructor'], {})).toThrow('constructor');
    expect(() =>
      checkSecrets(['constructor'], { constructor: 'x' } as unknown as Record<string, string>),
    ).not.toThrow();
  });

  test('a variable called __proto__ is refused, not dropped', () => {
    const env = JSON.parse('{"__proto__": "x"}');
    for (const parsed of [
      InstanceConfig.safeParse({ name: 'one', env }),
      InstanceUpdate.safeParse({ env }),
      InstanceConfig.safeParse({ name: 'one', secretEnv: ['__proto__'] }),
    ]) {
      expect(parsed.error?.issues).toMatchObject([{ path: [expect.any(String), expect.anything()] }]);
    }
  });
});

describe('a create that failed', () => {
  async function failed() {
    const made = await swarm();
    made.place.failNext('createInstance', refusal);
    await made.controller.createInstance({ name: 'one', image: 'debain' }).catch(() => {});
    const [row] = made.controller.listInstances();
    return { ...made, id: row?.id ?? '', record: () => made.controller.getInstance(row?.id ?? '') };
  }

  test('is mended by an update, and made by a start', async () => {
    const { controller, place, id, record } = await failed();
    await controller.updateInstance(id, { image: 'debian' });
    expect(record()).toMatchObject({ status: 'failed', config: { image: 'debian' }, error: { code: 'no-image' } });
    expect(place.calls).not.toContain('updateInstance');
    await controller.startInstance(id);
    expect(place.instances.get(id)).toMatchObject({ running: true, config: { image: 'debian' } });
    expect(record().error).toBeUndefined();
  });

  test('is no loss when its provider was silent and then has nothing', async () => {
    const { controller, place, record } = await failed();
    place.unreachable = true;
    await controller.refresh();
    place.unreachable = false;
    await controller.refresh();
    expect(record().status).toBe('failed');
  });

  test('stays as it is when its provider does not say whether there is something', async () => {
    const { controller, place, id, record } = await failed();
    place.failNext('getInstance', providerUnreachable('memory', 'connection refused', 'Start it.'));
    await expect(controller.updateInstance(id, { image: 'debian' })).rejects.toMatchObject({
      code: 'provider-unreachable',
    });
    expect(record()).toMatchObject({ status: 'failed', config: { image: 'debain' } });
  });
});
