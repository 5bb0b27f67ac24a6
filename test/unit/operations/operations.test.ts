import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InstanceConfig, InstanceStatus } from '../../../src/model/instance.ts';
import { bytesOf, headAndTail, lastLines, visible } from '../../../src/model/textCut.ts';
import { instanceDetail, nextStep } from '../../../src/operations/instanceViews.ts';
import { FakeSwarm, idOf, makeRecord } from './fakeSwarm.ts';
import { errorOf, makeBench } from './gateBench.ts';

const crowd = (count: number, config: Partial<InstanceConfig> = {}) => {
  const swarm = new FakeSwarm();
  for (let number = count; number >= 1; number -= 1) {
    const record = makeRecord(number, { detail: 'x'.repeat(1000) });
    swarm.add({ ...record, config: { ...record.config, ...config } });
  }
  return swarm;
};

describe('list_swarm_instances', () => {
  test.each([
    ['small rows', {}],
    [
      'rows as large as they get',
      { image: `a${'b'.repeat(511)}`, ports: Array.from({ length: 64 }, (_, i) => 60_000 + i) },
    ],
  ])('pages through everything once, in order, within 8 kB and 50 rows: %s', async (_, config) => {
    const bench = makeBench({ swarm: crowd(120, config) });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await bench.invoke('list_swarm_instances', cursor ? { cursor } : {});
      expect(bytesOf(JSON.stringify(page))).toBeLessThanOrEqual(8192);
      expect(page.instances.length).toBeGreaterThan(0);
      expect(page.instances.length).toBeLessThanOrEqual(50);
      expect(page.total).toBe(120);
      seen.push(...page.instances.map(({ id }: { id: string }) => id));
      cursor = page.nextCursor;
    } while (cursor);
    expect(seen).toEqual(Array.from({ length: 120 }, (_value, index) => idOf(index + 1)));
  });

  test('a page goes on behind the last row even when that was deleted', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(6) });
    const { nextCursor } = await bench.invoke('list_swarm_instances', { limit: 3 });
    bench.swarm.records.delete(idOf(3));
    const { instances } = await bench.invoke('list_swarm_instances', { limit: 3, cursor: nextCursor });
    expect(instances.map(({ id }: { id: string }) => id)).toEqual([idOf(4), idOf(5), idOf(6)]);
  });

  test('a cursor that is none is named', async () => {
    const error = await errorOf(makeBench().invoke('list_swarm_instances', { cursor: 'abc' }));
    expect(error.message).toContain('cursor: must be the nextCursor');
  });
});

describe('get_swarm_instance', () => {
  test('stays short whatever an instance holds, and shows no secret', async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`V${index}`, 'v'.repeat(30_000)]));
    const record = makeRecord(1);
    const swarm = new FakeSwarm();
    swarm.add({ ...record, config: { ...record.config, env: many, secretEnv: ['KEY'] } });
    const result = await makeBench({ swarm }).invoke('get_swarm_instance', { instanceId: idOf(1) });
    expect(bytesOf(JSON.stringify(result))).toBeLessThan(16_384);
    expect(result.secretEnv).toEqual(['KEY']);
    expect(result.env['…']).toBe('160 more');
  });

  test('says until when a deleted one can be restored', () => {
    const detail = instanceDetail(makeRecord(1, { status: 'trashed', trashedAt: '2030-01-01T00:00:00.000Z' }));
    expect(detail.restorableUntil).toBe('2030-01-08T00:00:00.000Z');
  });

  test.each(InstanceStatus.options)('has a next step for %s', status => {
    expect(nextStep(makeRecord(1, { status }))).toMatch(/\w.*\.$/);
  });
});

describe('create and update', () => {
  test('the instance exists with what was asked for, and the answer says what to do next', async () => {
    const bench = makeBench();
    const answer = await bench.invoke('create_swarm_instance', { name: 'web', provider: 'docker', ports: [8080] });
    expect(answer).toMatchObject({ name: 'web', provider: 'docker', status: 'running', next: expect.any(String) });
    expect(bench.swarm.getInstance(answer.id).config).toEqual(InstanceConfig.parse({ name: 'web', ports: [8080] }));
    await bench.invoke('update_swarm_instance', { instanceId: answer.id, metadata: { team: 'blue' } });
    expect(bench.swarm.getInstance(answer.id).config).toMatchObject({
      name: 'web',
      ports: [8080],
      metadata: { team: 'blue' },
    });
  });
});

describe('inside an instance', () => {
  const run = (bench: ReturnType<typeof makeBench>, more: object = {}) =>
    bench.invoke('run_in_instance', { instanceId: idOf(1), command: 'make', ...more });

  test('a command that is not through in time is given up, and says so', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    bench.swarm.execute = (_id, _command, options) =>
      new Promise((_resolve, reject) => {
        options?.signal.addEventListener('abort', () => reject(options.signal.reason));
      });
    const error = await errorOf(run(bench, { timeoutSeconds: 1 }));
    expect(error.code).toBe('command-timed-out');
    expect(bench.phases()).toEqual(['asked', 'failed']);
  });

  test('long output is cut in the middle, a failed command is an answer', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    const stdout = `first${'ü'.repeat(50_000)}last`;
    bench.swarm.execute = async () => ({ exitCode: 2, stdout, stderr: 'no rule', truncated: false });
    const result = await run(bench);
    expect(result).toMatchObject({ exitCode: 2, stderr: 'no rule', truncated: true });
    expect(result.stdout).toMatch(/^first.*the middle is left out.*last$/s);
    expect(bytesOf(result.stdout)).toBeLessThanOrEqual(4096);
  });

  test('the question shows what a screen would hide', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    const client = { caller: 'client', actor: 'cli' } as const;
    await bench.invoke('run_in_instance', { instanceId: idOf(1), command: 'ls\n\u202Erm -rf' }, client);
    expect(bench.questions[0]?.detail).toContain('ls\n\\u{202e}rm -rf');
  });

  test('logs keep their end within 8 kB', async () => {
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    bench.swarm.logs = Array.from({ length: 600 }, (_, index) => `${index} ${'"'.repeat(100)}`);
    const logs = await bench.invoke('get_instance_logs', { instanceId: idOf(1), tail: 500 });
    expect(bytesOf(JSON.stringify(logs))).toBeLessThanOrEqual(8192);
    expect(logs).toMatchObject({ truncated: true });
    expect(logs.lines.at(-1)).toMatch(/^599 /);
    bench.swarm.logs = ['one', 'two'];
    expect(await bench.invoke('get_instance_logs', { instanceId: idOf(1) })).toMatchObject({
      lines: ['one', 'two'],
      truncated: false,
    });
  });
});

describe('cutting text', () => {
  const text = fc.string({ unit: 'binary', maxLength: 4000 });

  test('head and tail: never longer than allowed, untouched when it fits', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 200, max: 3000 }), (value, most) => {
        const cut = headAndTail(value, most);
        expect(bytesOf(cut)).toBeLessThanOrEqual(most);
        if (bytesOf(value) <= most) expect(cut).toBe(value);
        expect(cut.isWellFormed()).toBe(true);
      }),
    );
  });

  test('last lines: an end of the lines, never longer than allowed', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), fc.integer({ min: 100, max: 5000 }), (lines, most) => {
        const kept = lastLines(lines, most);
        expect(bytesOf(JSON.stringify(kept))).toBeLessThanOrEqual(most + 2);
        const last = lines.at(-1);
        if (last !== undefined) expect(last.endsWith(kept.at(-1) ?? 'nothing kept')).toBe(true);
        expect(lines.slice(lines.length - kept.length).slice(1)).toEqual(kept.slice(1));
      }),
    );
  });

  test('nothing invisible stays invisible', () => {
    fc.assert(
      fc.property(text, value => {
        expect(visible(value)).not.toMatch(/[^\P{C}\n\t]/u);
      }),
    );
  });
});
