import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { catalog } from '../../../src/operations/catalog.ts';
import type { Operation } from '../../../src/operations/operation.ts';
import {
  type Field,
  fieldsBelow,
  type Hostile,
  hostile,
  hostileKinds,
  nameOf,
  type Schema,
  setAt,
  tooLarge,
  wrongTypes,
} from '../hostileInput.ts';
import { FakeSwarm, idOf } from './fakeSwarm.ts';
import { errorOf, makeBench } from './gateBench.ts';
import { inputOf } from './sampleInputs.ts';

/** A field of an operation's input. */
interface InputField extends Field {
  readonly operation: string;
}

/** Of required members inside inputs. */
const samples = {
  url: 'https://example.org/r.git',
  path: '/srv/r',
  providerId: 'docker',
  instanceId: idOf(2),
  user: 'ann',
  machine: 'desk',
};

const fields = catalog.flatMap(({ name, input }): InputField[] => {
  const schema = z.toJSONSchema(input, { io: 'input', target: 'draft-7' }) as Schema;
  return fieldsBelow(schema, inputOf(name), samples).map(field => ({ operation: name, ...field }));
});

/** Text that people may write freely; what is done with it is safe for any of it. */
const freeText: Record<string, readonly Hostile[]> = {
  'list_swarm_instances.name': ['dots', 'unicode'],
  'list_swarm_instances.metadata.KEY': ['dots', 'unicode', 'control'],
  'create_swarm_instance.env.KEY': ['dots', 'unicode', 'control'],
  'update_swarm_instance.env.KEY': ['dots', 'unicode', 'control'],
  'create_swarm_instance.metadata.KEY': ['dots', 'unicode', 'control'],
  'update_swarm_instance.metadata.KEY': ['dots', 'unicode', 'control'],
  'create_swarm_instance.source.ref': ['dots', 'unicode'],
  'adopt_swarm_instance.found.0.owner.user': ['dots', 'unicode'],
  'adopt_swarm_instance.found.0.owner.machine': ['dots', 'unicode'],
  'run_in_instance.command': ['dots', 'unicode'],
  'recover_instance.reason': ['dots', 'unicode'],
  'recreate_without_snapshot.reason': ['dots', 'unicode'],
};

const caller = (operation: Operation | undefined) => ({ caller: operation?.audience ?? 'agent' }) as const;

async function expectRefused(field: InputField, value: unknown): Promise<void> {
  const bench = makeBenchOnce();
  const input = setAt(field.around, field.path, value);
  const operation = catalog.find(({ name }) => name === field.operation);
  const error = await errorOf(bench.invoke(field.operation, input, caller(operation)));
  expect(error.family).toBe('validation');
  expect(error.message).toContain(nameOf(field));
  expect({ calls: bench.swarm.calls, questions: bench.questions }).toEqual({ calls: [], questions: [] });
  expect(error.message).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
  expect(error.message.length).toBeLessThan(6000);
}

let shared: ReturnType<typeof makeBench> | undefined;
/** Nothing may ever change in it, so one is enough for all. */
const makeBenchOnce = () => (shared ??= makeBench({ swarm: new FakeSwarm(1) }));

describe('bad input', () => {
  test('the walk finds the fields that are known to be there', () => {
    const found = new Set(fields.map(({ operation, path }) => `${operation}.${path.join('.')}`));
    for (const known of Object.keys(freeText)) expect(found).toContain(known);
    expect(found).toContain('create_swarm_instance.source.path');
    expect(found).toContain('create_swarm_instance.resources.cpuCores');
    expect(found).toContain('adopt_swarm_instance.found.0.providerId');
    expect(found).toContain('delete_swarm_instance.instanceIds.0');
  });

  test.each(catalog.map(({ name }) => ({ name })))('$name without any wrong field is understood', ({ name }) => {
    const operation = catalog.find(entry => entry.name === name);
    expect(() => operation?.prepare(inputOf(name), new FakeSwarm(3))).not.toThrow();
  });

  describe.each(fields.map(field => ({ field, name: `${field.operation}: ${field.path.join('.')}` })))(
    '$name',
    ({ field }) => {
      const { schema } = field;
      const free = freeText[`${field.operation}.${field.path.join('.')}`] ?? [];

      test('of a wrong type', async () => {
        await fc.assert(
          fc.asyncProperty(wrongTypes(schema), value => expectRefused(field, value)),
          { numRuns: 12 },
        );
      });

      const large = tooLarge(schema, idOf(1));
      if (large !== undefined) test('too large', () => expectRefused(field, large));

      const kinds = hostileKinds.filter(kind => !free.includes(kind));
      test.each(schema.type === 'string' ? kinds : [])('text with %s', async kind => {
        await fc.assert(
          fc.asyncProperty(hostile[kind], value => expectRefused(field, value)),
          { numRuns: 10 },
        );
      });
    },
  );

  test.each(catalog.map(({ name }) => ({ name })))('$name: no object, unknown fields', async ({ name }) => {
    const operation = catalog.find(entry => entry.name === name);
    const bench = makeBench({ swarm: new FakeSwarm(1) });
    for (const input of [undefined, null, 'text', 5, [], [{}]]) {
      const error = await errorOf(bench.invoke(name, input, caller(operation)));
      expect(error.message).toContain('input: ');
    }
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 300, unit: 'binary' }), async key => {
        fc.pre(key !== '__proto__' && !(key in (operation?.input.shape ?? {})));
        const error = await errorOf(bench.invoke(name, { ...inputOf(name), [key]: 1 }, caller(operation)));
        expect(error.message).toContain('is no known field');
      }),
      { numRuns: 20 },
    );
    expect(bench.swarm.calls).toEqual([]);
  });

  test.each(['constructor', 'prototype', '__proto__'])('a variable called %s harms nobody', async name => {
    const input = JSON.parse(
      `{"name":"box","env":{${JSON.stringify(name)}:"x"},"metadata":{${JSON.stringify(name)}:"x"}}`,
    );
    const bench = makeBench();
    await bench.invoke('create_swarm_instance', input).catch(() => {});
    expect(({} as Record<string, unknown>).x).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
