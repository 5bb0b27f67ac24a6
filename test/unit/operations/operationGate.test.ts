import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { Caller } from '../../../src/model/caller.ts';
import { defaultPolicy, Effect, type Policy, Verdict } from '../../../src/model/config.ts';
import { isAbort } from '../../../src/model/errors.ts';
import { catalog } from '../../../src/operations/catalog.ts';
import { defineOperation } from '../../../src/operations/operation.ts';
import { FakeSwarm, idOf, makeRecord } from './fakeSwarm.ts';
import { errorOf, makeBench } from './gateBench.ts';
import { inputOf } from './sampleInputs.ts';

const everything = (verdict: Verdict): Policy => {
  const row = { read: verdict, change: verdict, execute: verdict, destroy: verdict };
  return { person: row, agent: row, client: row, controller: row };
};

const grid = catalog.flatMap(operation =>
  Caller.options.flatMap(caller =>
    Verdict.options.map(verdict => ({ operation, name: operation.name, caller, verdict })),
  ),
);

describe('every operation, caller and verdict', () => {
  test.each(grid)('$name by $caller under $verdict', async ({ operation, name, caller, verdict }) => {
    const bench = makeBench({ swarm: new FakeSwarm(2), policy: everything(verdict) });
    const touching = !['read'].includes(operation.effect);
    const isOurs = operation.audience === 'controller';
    const mayNot = isOurs
      ? caller !== 'controller'
      : verdict === 'deny' || (operation.audience === 'person' && caller !== 'person');
    if (mayNot) {
      expect((await errorOf(bench.invoke(name, inputOf(name), { caller }))).code).toBe('denied');
      expect({ calls: bench.swarm.calls, phases: bench.phases(), asked: bench.questions.length }).toEqual({
        calls: [],
        phases: ['denied'],
        asked: 0,
      });
      return;
    }
    const asks =
      (verdict === 'confirm' && !isOurs) ||
      (caller === 'person' && (operation.effect === 'destroy' || operation.alwaysAsks));
    await bench.invoke(name, inputOf(name), { caller });
    expect(bench.questions).toHaveLength(asks ? 1 : 0);
    expect(bench.phases()).toEqual(['asked', 'done']);
    expect(bench.swarm.calls.length > 0).toBe(touching);
  });

  const asked = catalog.filter(({ audience }) => audience !== 'controller').map(({ name }) => ({ name }));
  test.each(asked)('$name asked and refused changes nothing', async ({ name }) => {
    const bench = makeBench({ swarm: new FakeSwarm(2), policy: everything('confirm') });
    bench.agrees = async () => false;
    const error = await bench.invoke(name, inputOf(name), { caller: 'person' }).catch((reason: unknown) => reason);
    expect(isAbort(error)).toBe(true);
    expect({ calls: bench.swarm.calls, phases: bench.phases() }).toEqual({ calls: [], phases: ['cancelled'] });
  });
});

describe('a state that is in use on another machine', () => {
  test.each(catalog)('$name', async ({ name, effect, audience }) => {
    const bench = makeBench({ swarm: new FakeSwarm(2) });
    bench.swarm.claim.hindrance = { why: 'elsewhere', host: 'anns-laptop', since: '2026-11-30T04:00:00.000Z' };
    const work = bench.invoke(name, inputOf(name), { caller: audience === 'controller' ? 'controller' : 'person' });
    if (effect === 'read') {
      await work;
      expect(bench.swarm.calls).toEqual([]);
    } else if (name === 'take_over_state') {
      await work;
      expect(bench.questions[0]?.title).toContain('anns-laptop');
      expect(bench.swarm.calls).toEqual(['takeOver']);
    } else {
      expect(await errorOf(work)).toMatchObject({
        code: 'state-elsewhere',
        hint: expect.stringContaining('take it over'),
      });
      expect({ calls: bench.swarm.calls, asked: bench.questions }).toEqual({ calls: [], asked: [] });
    }
  });

  test('what was asked before it was taken over is refused at the deed', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    bench.agrees = async () => {
      bench.swarm.claim.hindrance = { why: 'moving', to: '/elsewhere' };
      return true;
    };
    const work = bench.invoke('delete_swarm_instance', { instanceIds: [idOf(1)] }, { caller: 'person' });
    expect((await errorOf(work)).code).toBe('state-moved');
    expect(bench.swarm.calls).toEqual([]);
  });
});

describe('the gate', () => {
  test('a refused agent is told not to insist', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    bench.agrees = async () => false;
    const error = await errorOf(bench.invoke('delete_swarm_instance', { instanceIds: [idOf(1)] }));
    expect(error.code).toBe('confirmation-refused');
    expect(bench.swarm.getInstance(idOf(1)).status).toBe('running');
    expect(bench.phases()).toEqual(['denied']);
  });

  test('a question names what goes, what is kept, who asks, and has a verb on the button', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(12), agentDestroyLimit: 11 });
    await bench.invoke('delete_swarm_instance', { instanceIds: Array.from({ length: 12 }, (_, i) => idOf(i + 1)) });
    const [question] = bench.questions;
    expect(question?.title).toBe('Delete 11 instances?');
    expect(question?.action).toBe('Delete 11 Instances');
    expect(question?.detail.split('\n')).toEqual([
      ...Array.from({ length: 10 }, (_, i) => `• box ${i + 1} (${idOf(i + 1)}, docker, running)`),
      '… and 1 more',
      '',
      'Running processes and terminals end. All files are kept in the trash for 7 days; Restore brings them back.',
      '',
      'The limit for agents leaves out 1 more.',
      '',
      'Asked by chat, not by you.',
    ]);
  });

  test('one instance is named on top, and a person is not told who they are', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    await bench.invoke('purge_swarm_instance', { instanceIds: [idOf(1), idOf(1)] }, { caller: 'person' });
    expect(bench.questions).toEqual([
      {
        title: 'Delete "box 1" permanently?',
        detail: '• box 1 (aaaaaaaaaaa1, docker, running)\n\nAll files are lost, and nothing brings them back.',
        action: 'Delete Permanently',
      },
    ]);
    expect(bench.swarm.records.size).toBe(0);
  });

  test('what appears while the question is open is not removed with the rest', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(2) });
    bench.agrees = async () => {
      bench.swarm.add(makeRecord(3));
      return true;
    };
    await bench.invoke('remove_swarm', {}, { caller: 'person' });
    expect([...bench.swarm.records.keys()]).toEqual([idOf(3)]);
  });

  test('an instance that was unknown when the question was put is left alone', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    bench.agrees = async () => {
      bench.swarm.add(makeRecord(2));
      return true;
    };
    const { results } = await bench.invoke('delete_swarm_instance', { instanceIds: [idOf(1), idOf(2)] });
    expect(results).toMatchObject([{ outcome: 'done' }, { outcome: 'failed', error: { code: 'instance-not-found' } }]);
    expect(bench.swarm.getInstance(idOf(2)).status).toBe('running');
  });

  test('unknown operation, and input that is no JSON or too large', async () => {
    const bench = makeBench();
    const loop: { self?: unknown } = {};
    loop.self = loop;
    expect((await errorOf(bench.invoke('drop_everything', {}))).code).toBe('unknown-operation');
    for (const input of [loop, { name: 5n }, { name: 'x'.repeat(257 * 1024) }, { name: 'ü'.repeat(130 * 1024) }]) {
      expect((await errorOf(bench.invoke('create_swarm_instance', input))).code).toBe('invalid-input');
    }
    expect(bench.swarm.calls).toEqual([]);
    expect(bench.phases()).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
  });
});

describe('the audit log', () => {
  test('holds who, what, whom, and how it ended, and no value of a variable', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(3) });
    bench.swarm.before = (_method, id) => {
      if (id === idOf(2)) throw new Error('engine on fire');
    };
    await bench.invoke('stop_swarm_instance', { instanceIds: [idOf(1), idOf(2)] });
    expect(bench.events).toMatchObject([
      { phase: 'asked', actor: 'chat', caller: 'agent', effect: 'change', targets: [idOf(1), idOf(2)] },
      { phase: 'done', outcome: `1 done; ${idOf(2)}: unexpected-failure` },
    ]);

    const secrets = { KEY: 'hunter2' };
    await bench.invoke(
      'create_swarm_instance',
      { name: 'n', env: { PASS: 'hunter2' }, secretEnv: ['KEY'] },
      { secrets },
    );
    expect(bench.events.at(-1)).toMatchObject({ phase: 'done', targets: [[...bench.swarm.records.keys()].at(-1)] });
    await bench.invoke('update_swarm_instance', { instanceId: idOf(1), env: { PASS: 'hunter2' } }, { secrets });
    await errorOf(bench.invoke('create_swarm_instance', { name: 'n', env: { PASS: ['hunter2'] }, hunter: 'hunter2' }));
    await bench.invoke('open_swarm_instance', { instanceId: idOf(1) }, { caller: 'person' });
    expect(bench.swarm.secrets).toEqual(secrets);
    expect(JSON.stringify(bench.events)).not.toMatch(/hunter2|tkn/);
    expect(bench.events.find(({ operation }) => operation === 'create_swarm_instance')).toMatchObject({
      arguments: { name: 'n', env: { PASS: '***' } },
    });
  });

  test('a failed run, a rejected input and a cancelled call are written down', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    bench.swarm.before = () => Promise.reject(new Error('boom'));
    const failed = await errorOf(bench.invoke('update_swarm_instance', { instanceId: idOf(1), name: 'x' }));
    expect(failed.code).toBe('unexpected-failure');
    await errorOf(bench.invoke('update_swarm_instance', { instanceId: idOf(7), name: 'x' }));
    await errorOf(bench.invoke('update_swarm_instance', { instanceId: idOf(1) }));

    const controller = new AbortController();
    bench.swarm.before = () => {
      controller.abort();
      controller.signal.throwIfAborted();
    };
    const change = { signal: controller.signal };
    const aborted = await bench
      .invoke('start_swarm_instance', { instanceIds: [idOf(1)] }, change)
      .catch((e: unknown) => e);
    expect(aborted).toBe(controller.signal.reason);
    await bench.invoke('start_swarm_instance', { instanceIds: [idOf(1)] }, change).catch(() => {});
    expect(bench.events.map(({ phase, code }) => [phase, code])).toEqual([
      ['asked', undefined],
      ['failed', 'unexpected-failure'],
      ['rejected', 'instance-not-found'],
      ['rejected', 'invalid-input'],
      ['asked', undefined],
      ['cancelled', undefined],
      ['cancelled', undefined],
    ]);
  });

  test.each(catalog)('while it cannot be written: $name', async ({ name, effect, audience, worksUnaudited }) => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    bench.auditWorks = false;
    const work = bench.invoke(name, inputOf(name), { caller: audience === 'controller' ? 'controller' : 'person' });
    const goesOn = effect === 'read' || name === 'stop_swarm_instance';
    expect(worksUnaudited).toBe(goesOn);
    if (goesOn) await work;
    else expect((await errorOf(work)).code).toBe('audit-unavailable');
    expect(bench.swarm.calls).toEqual(name === 'stop_swarm_instance' ? ['stop'] : []);
    expect(bench.warnings.length).toBeGreaterThan(0);
  });

  test('a deed stays done when only its end cannot be written', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    bench.auditWorks = ({ phase }) => phase === 'asked';
    const { results } = await bench.invoke('start_swarm_instance', { instanceIds: [idOf(1)] });
    expect(results).toMatchObject([{ outcome: 'done', status: 'running' }]);
    expect(bench.warnings).toHaveLength(1);
  });
});

describe('the output check', () => {
  test('a result that is not as promised is an error, not an answer', async () => {
    const liar = defineOperation({
      name: 'lie',
      title: 'Lie',
      description: '',
      effect: 'read',
      audience: 'agent',
      destroys: 'nothing',
      reveals: 'facts',
      undo: 'nothing',
      input: z.strictObject({}),
      output: z.strictObject({ count: z.int() }),
      run: async () => JSON.parse('{"count":"three","token":"hunter2"}'),
    });
    const bench = makeBench({ operations: [liar] });
    const error = await errorOf(bench.invoke('lie', {}));
    expect(error.code).toBe('unexpected-result');
    expect(error.message).toContain('count: must be a number');
    expect(error.message).not.toContain('hunter2');
    expect(bench.phases()).toEqual(['asked', 'failed']);
  });
});

test('the default policy and the catalog agree on the effects there are', () => {
  expect(new Set(catalog.map(({ effect }) => effect))).toEqual(new Set(Effect.options));
  expect(Object.keys(defaultPolicy.agent)).toEqual(Effect.options);
});

test('what the swarm does of its own accord, it may do', () => {
  const text = readFileSync(path.resolve(import.meta.dirname, '../../../src/swarm.ts'), 'utf8');
  const names = [...text.matchAll(/gate\.invoke\('(\w+)'/g)].map(match => match[1]);
  expect(names.length).toBeGreaterThan(2);
  const audiences = names.map(name => catalog.find(operation => operation.name === name)?.audience);
  for (const audience of audiences) expect(audience).toMatch(/agent|controller/);
});
