import { afterEach, describe, expect, test } from 'vitest';
import { wantsCredential } from '../../../src/core/cloneScript.ts';
import { quote } from '../../../src/core/setupScripts.ts';
import type { SwarmController } from '../../../src/core/swarmController.ts';
import { invalidInput, SwarmError } from '../../../src/model/errors.ts';
import { MemoryLease, ObserverSeat } from '../../fakes/memoryLease.ts';
import type { MemoryCall } from '../../fakes/memoryPlace.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryDisk } from '../../fakes/memoryStore.ts';
import { MemoryLock, type MemorySwarmOptions, memorySwarm } from '../../fakes/memorySwarm.ts';

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

const ctxOf = (signal: AbortSignal) => ({ signal, report: () => {} });

describe('creating', () => {
  test('records what is wanted before the provider is asked, and what came of it', async () => {
    const { controller, place, disk } = await swarm();
    let onDisk: unknown;
    place.latency = async call => {
      if (call === 'createInstance') onDisk = JSON.parse([...disk.records.values()][0] ?? '{}');
    };
    const record = await controller.createInstance({ name: 'one' });
    expect(onDisk).toMatchObject({ id: record.id, status: 'creating', desired: 'running' });
    expect(record).toMatchObject({ status: 'running', desired: 'running', providerId: 'memory' });
    expect([...place.instances.keys()]).toEqual([record.id]);
  });

  test('refuses a name that is taken, ignoring case, before anything is made', async () => {
    const { controller, place } = await swarm();
    await controller.createInstance({ name: 'One' });
    await expect(controller.createInstance({ name: 'oNE' })).rejects.toMatchObject({ code: 'name-taken' });
    expect(place.instances.size).toBe(1);
  });

  test('refuses a name that looks like one that is taken, and one with what nobody sees', async () => {
    const { controller, place } = await swarm();
    await controller.createInstance({ name: 'prod' });
    const { id } = await controller.createInstance({ name: 'other' });
    const taken = { code: 'name-taken' };
    await expect(controller.createInstance({ name: 'pr\u043Ed' })).rejects.toMatchObject(taken);
    await expect(controller.updateInstance(id, { name: 'PR0D' })).rejects.toMatchObject(taken);
    const unseen = { code: 'invalid-input', message: expect.stringContaining('characters that nobody sees') };
    await expect(controller.createInstance({ name: 'prod\u3164' })).rejects.toMatchObject(unseen);
    await expect(controller.updateInstance(id, { name: 'prod\u034F' })).rejects.toMatchObject(unseen);
    expect(place.instances.size).toBe(2);
  });

  test('of two at once with one name, one is made', async () => {
    const { controller, place } = await swarm();
    const both = await Promise.allSettled([
      controller.createInstance({ name: 'same' }),
      controller.createInstance({ name: 'same' }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(place.instances.size).toBe(1);
  });

  test('a failure stays as a row that says why, and a start tries again', async () => {
    const { controller, place } = await swarm();
    place.failNext(
      'createInstance',
      new SwarmError({ family: 'provider', code: 'no-image', message: 'No image.', hint: 'Pull.' }),
    );
    await expect(controller.createInstance({ name: 'one' })).rejects.toMatchObject({ code: 'no-image' });
    const [failed] = controller.listInstances();
    expect(failed).toMatchObject({
      status: 'failed',
      error: { code: 'no-image', message: 'No image.', hint: 'Pull.' },
    });
    const started = await controller.startInstance(failed?.id ?? '');
    expect(started).toMatchObject({ status: 'running' });
    expect(started.error).toBeUndefined();
    expect(place.instances.size).toBe(1);
  });

  test('a cancelled one leaves nothing, here and there', async () => {
    const { controller, place, disk, vault } = await swarm();
    place.hang('createInstance');
    const cancel = new AbortController();
    const creating = controller.createInstance({ name: 'one', secretEnv: ['KEY'] }, '', ctxOf(cancel.signal), {
      KEY: 's3cret',
    });
    await expect.poll(() => place.calls.includes('createInstance')).toBe(true);
    cancel.abort(new DOMException('Cancelled.', 'AbortError'));
    await expect(creating).rejects.toMatchObject({ name: 'AbortError' });
    expect({ there: place.instances.size, here: disk.records.size, secrets: vault.secrets.size }).toEqual({
      there: 0,
      here: 0,
      secrets: 0,
    });
  });

  test('a secret reaches the provider, and neither the record nor the disk', async () => {
    const { controller, place, disk } = await swarm();
    const record = await controller.createInstance({ name: 'one', secretEnv: ['KEY'] }, '', undefined, {
      KEY: 's3cret',
    });
    expect(place.instances.get(record.id)?.variables).toEqual({ KEY: 's3cret' });
    expect([...disk.records.values()].join()).not.toContain('s3cret');
  });

  test('a clone that fails is told, and the instance runs; no command holds the credential', async () => {
    const { controller, place } = await swarm({ gitCredential: 'hunter2' });
    const commands: string[] = [];
    place.shell = async (_id, command) => {
      commands.push(command);
      const exitCode = commands.length === 1 ? wantsCredential : 1;
      return { exitCode, stdout: '', stderr: 'Cloning\nfatal: repository not found\n', truncated: false };
    };
    const source = { kind: 'git', url: "https://example.org/it's.git" } as const;
    const consent = { isLasting: true, mayUse: async () => true, mayCopy: async () => true };
    const record = await controller.createInstance({ name: 'one', source }, '', undefined, {}, { consent });
    expect(commands).toHaveLength(2);
    expect(record).toMatchObject({
      status: 'running',
      setup: { status: 'failed', problems: [expect.stringContaining('fatal: repository not found')] },
    });
    expect(commands.join()).not.toContain('hunter2');
    expect(commands.join()).toContain(quote(quote(source.url)).slice(1, -1));
  });
});

describe('a folder as the source', () => {
  const source = { kind: 'folder', path: '/link' } as const;
  const surveyFolder = async () => ({ path: '/real', bytes: 7, files: 2, outside: ['/main/.git'] });

  test('is looked at and asked for as it really lies, before anything is made', async () => {
    const { controller, place } = await swarm({ surveyFolder });
    const asked: unknown[] = [];
    const consent = (agrees: boolean) => ({
      isLasting: false,
      mayUse: async () => agrees,
      mayCopy: async (use: unknown) => {
        asked.push(use);
        return agrees;
      },
    });
    const refused = controller.createInstance({ name: 'one', source }, '', undefined, {}, { consent: consent(false) });
    await expect(refused).rejects.toMatchObject({ code: 'confirmation-refused' });
    expect([controller.listInstances(), place.instances.size]).toEqual([[], 0]);
    const made = await controller.createInstance(
      { name: 'one', source },
      '',
      undefined,
      {},
      { consent: consent(true) },
    );
    expect(made.config.source).toEqual({ kind: 'folder', path: '/real' });
    expect(asked).toMatchObject([{ path: '/real', bytes: 7, files: 2, outside: ['/main/.git'] }, { path: '/real' }]);
  });

  test.each([true, false])(
    'nothing of it, not even that it is there, is told before a person agrees (%s)',
    async agrees => {
      const asked: unknown[] = [];
      const mayCopy = async (use: unknown) => asked.push(use) > 0 && agrees;
      const consent = { isLasting: false, mayUse: async () => true, mayCopy };
      const failures: unknown[] = [];
      for (const looked of [
        surveyFolder,
        async () => Promise.reject(invalidInput('The source', ['path: is missing'])),
      ]) {
        const { controller } = await swarm({ surveyFolder: looked });
        const made = controller.createInstance({ name: 'one', source }, '', undefined, {}, { consent });
        await made.catch(({ code, message }) => failures.push({ code, message }));
      }
      expect(asked).toMatchObject([
        { path: '/real' },
        { path: '/link', problem: expect.stringContaining('is missing') },
      ]);
      const refusal = { code: 'confirmation-refused', message: expect.not.stringContaining('real') };
      expect(failures).toEqual(agrees ? [expect.objectContaining({ code: 'invalid-input' })] : [refusal, failures[0]]);
    },
  );

  test.each([
    ['is refused', async () => Promise.reject(invalidInput('The source', ['source.path: no']))],
    ['has a name that no record takes', async () => ({ path: '/a\nb', bytes: 0, files: 0, outside: [] })],
  ])('one that %s leaves nothing', async (_, looked) => {
    const { controller } = await swarm({ surveyFolder: looked });
    await expect(controller.createInstance({ name: 'one', source })).rejects.toMatchObject({ code: 'invalid-input' });
    expect(controller.listInstances()).toEqual([]);
  });
});

describe('a life', () => {
  test('stop, start, restart, rename, delete, restore, delete for good', async () => {
    const { controller, place, disk } = await swarm();
    const { id } = await controller.createInstance({ name: 'one' });
    expect(await controller.stopInstance(id)).toMatchObject({ status: 'stopped', desired: 'stopped' });
    expect(await controller.startInstance(id)).toMatchObject({ status: 'running', desired: 'running' });
    expect(await controller.restartInstance(id)).toMatchObject({ status: 'running' });
    expect(await controller.updateInstance(id, { name: 'two' })).toMatchObject({ config: { name: 'two' } });
    expect(await controller.deleteInstance(id)).toMatchObject({ status: 'trashed', desired: 'trashed', role: 'trash' });
    await expect(controller.startInstance(id)).rejects.toMatchObject({ code: 'wrong-state' });
    expect(place.instances.get(id)).toMatchObject({ role: 'trash', running: false });
    const restored = await controller.restoreInstance(id);
    expect(restored).toMatchObject({ status: 'stopped', desired: 'stopped', role: 'owner' });
    expect(restored.trashedAt).toBeUndefined();
    await controller.purgeInstance(id);
    expect({ there: place.instances.size, here: disk.records.size }).toEqual({ there: 0, here: 0 });
  });

  test('a delete ends a create that hangs', async () => {
    const { controller, place, disk } = await swarm();
    place.hang('createInstance');
    const creating = controller.createInstance({ name: 'one' });
    creating.catch(() => {});
    await expect.poll(() => place.calls.includes('createInstance')).toBe(true);
    const [row] = controller.listInstances();
    await controller.purgeInstance(row?.id ?? '').catch(() => {});
    await expect(creating).rejects.toMatchObject({ name: 'AbortError' });
    expect({ there: place.instances.size, here: disk.records.size }).toEqual({ there: 0, here: 0 });
  });

  test('a delete while the provider is down is remembered, and done when it answers', async () => {
    const { controller, place } = await swarm();
    const { id } = await controller.createInstance({ name: 'one' });
    place.unreachable = true;
    await expect(controller.deleteInstance(id)).rejects.toMatchObject({ code: 'provider-unreachable' });
    expect(controller.getInstance(id)).toMatchObject({ desired: 'trashed', error: { code: 'provider-unreachable' } });
    place.unreachable = false;
    await controller.refresh();
    expect(place.instances.get(id)).toMatchObject({ role: 'trash' });
    expect(controller.getInstance(id)).toMatchObject({ status: 'trashed' });
  });
});

describe('observing', () => {
  test('a provider that is down makes its instances unknown, never anything worse, and holds up no other', async () => {
    const down = new MemoryPlace();
    const up = new MemoryPlace();
    const providers = [new MemoryProvider(down, { id: 'down' }), new MemoryProvider(up, { id: 'up' })];
    const { controller } = await swarm({ providers, health: { autoRecover: false } });
    const a = await controller.createInstance({ name: 'a' }, 'down');
    const b = await controller.createInstance({ name: 'b' }, 'up');
    down.hang('observe');
    await up.crash(b.id);
    const cancel = new AbortController();
    const refresh = controller.refresh(ctxOf(cancel.signal));
    await expect.poll(() => controller.getInstance(b.id).status).toBe('stopped');
    cancel.abort();
    await expect(refresh).rejects.toThrow();
    down.unreachable = true;
    await controller.refresh();
    expect(controller.getInstance(a.id)).toMatchObject({ status: 'unknown', desired: 'running' });
    expect(controller.getSwarmStatus().providers).toMatchObject([
      { id: 'down', reachable: false },
      { id: 'up', reachable: true },
    ]);
    await expect(controller.access.executeCommand(a.id, 'true')).rejects.toMatchObject({
      code: 'provider-unreachable',
    });
  });

  test('an instance that vanished is lost only when the place says so itself', async () => {
    const { controller, place } = await swarm();
    const { id } = await controller.createInstance({ name: 'one' });
    const kept = place.instances.get(id);
    place.listed = () => [];
    await controller.refresh();
    expect(controller.getInstance(id).status).toBe('running');
    place.instances.delete(id);
    await controller.refresh();
    expect(controller.getInstance(id).status).toBe('lost');
    if (kept) place.instances.set(id, kept);
    await controller.refresh();
    expect(controller.getInstance(id).status).toBe('running');
  });

  test('an event of the place is seen without asking', async () => {
    const { controller, place } = await swarm({ health: { autoRecover: false } });
    const { id } = await controller.createInstance({ name: 'one' });
    await place.crash(id);
    await expect.poll(() => controller.getInstance(id).status).toBe('stopped');
  });
});

describe('whose is it', () => {
  test('a lost state is found again with name, owner and trash; nothing is doubled', async () => {
    const { controller, place } = await swarm();
    const a = await controller.createInstance({ name: 'a' });
    const b = await controller.createInstance({ name: 'b' });
    await controller.updateInstance(a.id, { name: 'renamed' });
    await controller.deleteInstance(b.id);
    const again = (await swarm({ place, disk: new MemoryDisk() })).controller;
    await expect.poll(() => again.listInstances().length).toBe(2);
    expect(again.getInstance(a.id)).toMatchObject({
      config: { name: 'renamed' },
      desired: 'running',
      owner: { user: 'ada' },
    });
    expect(again.getInstance(b.id)).toMatchObject({ status: 'trashed', desired: 'trashed' });
    expect(place.instances.size).toBe(2);
  });

  test('another swarm’s are found, untouched, until somebody adopts them', async () => {
    const { controller, place } = await swarm();
    const { id } = await controller.createInstance({ name: 'theirs' });
    const other = (await swarm({ place, swarmId: 'bbbbbbbbbbbbbbbb' })).controller;
    await expect.poll(() => other.listFound().length).toBe(1);
    expect(other.listInstances()).toEqual([]);
    await other.adoptInstance('memory', id);
    expect(other.listFound()).toEqual([]);
    await other.stopInstance(id);
    await other.refresh();
    expect(other.getInstance(id)).toMatchObject({ config: { name: 'theirs' }, status: 'stopped' });
    expect(other.listFound()).toEqual([]);
  });

  test('with Load State on Startup off nothing is shown, adopted or deleted', async () => {
    const { controller, place, disk } = await swarm();
    await controller.createInstance({ name: 'one' });
    const quiet = (await swarm({ place, disk, loadStateOnStartup: false })).controller;
    await quiet.refresh();
    expect(quiet.listInstances()).toEqual([]);
    expect(disk.records.size).toBe(1);
  });
});

describe('a crash at every call, then a restart', () => {
  const steps: { act: string; calls: MemoryCall[] }[] = [
    { act: 'create', calls: ['createInstance'] },
    { act: 'delete', calls: ['getInstance', 'trashInstance'] },
    { act: 'restore', calls: ['restoreInstance'] },
    { act: 'purge', calls: ['deleteInstance'] },
    { act: 'stop', calls: ['stopInstance'] },
    { act: 'restart', calls: ['stopInstance', 'startInstance'] },
  ];
  const cases = steps.flatMap(({ act, calls }) =>
    calls.flatMap(call => (['before', 'after'] as const).map(moment => ({ act, call, moment }))),
  );

  test.each(cases)('$act, killed $moment $call', async ({ act, call, moment }) => {
    const { controller, place, disk } = await swarm();
    const id = act === 'create' ? '' : (await controller.createInstance({ name: 'one' })).id;
    if (act === 'restore') await controller.deleteInstance(id);
    // Killed: the call is made or not, and this controller never hears of it.
    const pass = place.pass.bind(place);
    let killed = false;
    place.pass = async (providerId, name, ctx, work) => {
      if (killed || name !== call) return killed ? new Promise(() => {}) : pass(providerId, name, ctx, work);
      killed = true;
      if (moment === 'after') await pass(providerId, name, ctx, work);
      return new Promise(() => {});
    };
    if (act === 'create') void controller.createInstance({ name: 'one' });
    if (act === 'delete') void controller.deleteInstance(id);
    if (act === 'restore') void controller.restoreInstance(id);
    if (act === 'purge') void controller.purgeInstance(id);
    if (act === 'stop') void controller.stopInstance(id);
    if (act === 'restart') void controller.restartInstance(id);
    await expect.poll(() => killed).toBe(true);
    if (moment === 'after') await expect.poll(() => place.calls.at(-1)).toBe(call);
    place.pass = pass;

    // What was left to be done is not forgotten while the place is silent.
    place.unreachable = true;
    const again = (await swarm({ place, disk })).controller;
    await again.refresh();
    place.unreachable = false;
    await again.refresh();
    const agreed = {
      ...{ create: ['running'], delete: ['trashed'], restore: ['stopped'], purge: [] },
      ...{ stop: ['stopped'], restart: ['running'] },
    }[act];
    await expect
      .poll(async () => {
        await again.refresh();
        const rows = again.listInstances().map(({ status }) => status);
        return { rows, there: place.observations().map(({ status }) => status) };
      })
      .toEqual({ rows: agreed, there: agreed });
    await again.dispose();
  });
});

describe('no home is lost without a person’s permanent delete', () => {
  const source = { kind: 'git', url: 'https://example.org/a.git' } as const;
  const extensions = ['publisher.name'];

  /** A swarm whose clone hangs until its signal is aborted, with the instance already running. */
  async function cloning(options: MemorySwarmOptions = {}) {
    const made = await swarm(options);
    made.place.hang('executeCommand');
    const creating = made.controller.createInstance({ name: 'one', source, extensions });
    creating.catch(() => {});
    await expect.poll(() => made.place.calls.includes('executeCommand')).toBe(true);
    const [row] = made.controller.listInstances();
    expect(row).toMatchObject({ status: 'running', setup: { status: 'pending' } });
    return { ...made, creating, id: row?.id ?? '' };
  }

  test('a window that closes while it finishes a first start leaves the instance, and the work to the next one', async () => {
    const { place, disk, id } = await cloning();
    place.hang('executeCommand');
    const next = memorySwarm({ place, disk }).controller;
    await next.initialize();
    await expect.poll(() => place.calls.filter(call => call === 'executeCommand').length).toBe(2);
    await next.dispose();
    expect(place.instances.get(id)).toMatchObject({ running: true });
    const last = (await swarm({ place, disk })).controller;
    await expect.poll(() => last.getInstance(id).setup?.status).toBe('done');
    expect(place.calls).not.toContain('deleteInstance');
  });

  test('a window that closes while it finishes a create leaves that to the next one too', async () => {
    const { controller, place, disk } = await swarm();
    place.hang('createInstance');
    void controller.createInstance({ name: 'one' }).catch(() => {});
    await expect.poll(() => place.calls.includes('createInstance')).toBe(true);
    place.hang('createInstance');
    const next = memorySwarm({ place, disk }).controller;
    await next.initialize();
    await expect.poll(() => place.calls.filter(call => call === 'createInstance').length).toBe(2);
    await next.dispose();
    const last = (await swarm({ place, disk })).controller;
    await expect.poll(() => last.listInstances().map(({ status }) => status)).toEqual(['running']);
    expect(place.calls).not.toContain('deleteInstance');
  });

  test('a create that is cancelled while it clones keeps the instance, which may be in use, and says so', async () => {
    const { controller, place } = await swarm();
    place.hang('executeCommand');
    const cancel = new AbortController();
    const creating = controller.createInstance({ name: 'one', source }, '', ctxOf(cancel.signal));
    await expect.poll(() => place.calls.includes('executeCommand')).toBe(true);
    cancel.abort(new DOMException('Cancelled.', 'AbortError'));
    const { id, setup } = await creating;
    expect(setup).toMatchObject({ status: 'failed', problems: [expect.stringContaining('cancelled')] });
    expect(place.instances.get(id)).toMatchObject({ running: true });
  });

  test('a delete while it clones goes to the trash, from where it comes back', async () => {
    const { controller, place, id } = await cloning();
    await controller.deleteInstance(id);
    expect(place.instances.get(id)).toMatchObject({ role: 'trash' });
    expect(await controller.restoreInstance(id)).toMatchObject({ status: 'stopped' });
  });

  describe.each(['this', 'another'])('in %s window, while a repository is silent,', which => {
    const ends: [string, (controller: SwarmController, id: string) => Promise<unknown>, object | undefined][] = [
      ['a stop', (controller, id) => controller.stopInstance(id), { role: 'owner', running: false }],
      ['a forced stop', (controller, id) => controller.stopInstance(id, true), { role: 'owner', running: false }],
      ['a delete', (controller, id) => controller.deleteInstance(id), { role: 'trash', running: false }],
      ['a permanent delete', (controller, id) => controller.purgeInstance(id), undefined],
    ];
    test.each(ends)('%s ends the first start and goes on', async (_, end, there) => {
      const [seat, locks] = [new ObserverSeat(), new MemoryLock()];
      const { controller, place, disk, creating, id } = await cloning({ locks, lease: new MemoryLease(seat) });
      const next = { place, disk, locks, lease: new MemoryLease(seat) };
      await end(which === 'this' ? controller : (await swarm(next)).controller, id);
      if (there) expect(place.instances.get(id)).toMatchObject(there);
      else expect(place.instances.has(id)).toBe(false);
      const made = await creating.catch(() => undefined);
      if (there)
        expect(made?.setup).toMatchObject({ status: 'failed', problems: [expect.stringContaining('cancelled')] });
    });
  });

  test('a delete never removes what a place says it does not have: its home may still be there', async () => {
    const { controller, place } = await swarm();
    const { id } = await controller.createInstance({ name: 'one' });
    place.instances.delete(id);
    expect(await controller.deleteInstance(id)).toMatchObject({ desired: 'trashed' });
    expect(place.calls).not.toContain('deleteInstance');
    await controller.purgeInstance(id);
    expect(controller.listInstances()).toEqual([]);
  });

  test('a start again that is cancelled removes nothing', async () => {
    const { controller, place } = await swarm();
    place.failNext('createInstance', new SwarmError({ family: 'provider', code: 'x', message: 'x', hint: 'x' }));
    await controller.createInstance({ name: 'one' }).catch(() => {});
    const [row] = controller.listInstances();
    place.hang('createInstance');
    const cancel = new AbortController();
    const starting = controller.startInstance(row?.id ?? '', ctxOf(cancel.signal));
    await expect.poll(() => place.calls.filter(call => call === 'createInstance').length).toBe(2);
    cancel.abort(new DOMException('Cancelled.', 'AbortError'));
    await expect(starting).rejects.toMatchObject({ name: 'AbortError' });
    expect(place.calls).not.toContain('deleteInstance');
    expect(controller.listInstances()).toMatchObject([{ status: 'failed' }]);
  });
});

describe('secrets', () => {
  test('of a create that was refused, none stays in the vault', async () => {
    const { controller, vault } = await swarm();
    await controller.createInstance({ name: 'one' });
    const again = controller.createInstance({ name: 'one', secretEnv: ['KEY'] }, '', undefined, { KEY: 's3cret' });
    await expect(again).rejects.toMatchObject({ code: 'name-taken' });
    expect(JSON.stringify([...vault.secrets])).not.toContain('s3cret');
  });

  test('a variable that is no longer secret is forgotten, and a new one needs its value', async () => {
    const { controller, vault } = await swarm();
    const { id } = await controller.createInstance({ name: 'one', secretEnv: ['A'] }, '', undefined, { A: '1' });
    const update = controller.updateInstance(id, { secretEnv: ['B'] });
    await expect(update).rejects.toMatchObject({ code: 'invalid-input', message: expect.stringContaining('B') });
    await controller.updateInstance(id, { secretEnv: ['B'] }, undefined, { B: '2' });
    expect(vault.secrets.get(id)).toEqual({ B: '2' });
  });

  test('an adopted instance, whose values only its provider has, can be changed and keeps them', async () => {
    const { controller, place } = await swarm();
    const { id } = await controller.createInstance({ name: 'one', secretEnv: ['A'] }, '', undefined, { A: '1' });
    const adopter = (await swarm({ place, disk: new MemoryDisk() })).controller;
    await expect.poll(() => adopter.listInstances().length).toBe(1);
    await adopter.updateInstance(id, { name: 'two' });
    expect(place.instances.get(id)).toMatchObject({ config: { name: 'two' }, variables: { A: '1' } });
  });
});
