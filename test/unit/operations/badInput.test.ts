import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { catalog } from '../../../src/operations/catalog.ts';
import type { Operation } from '../../../src/operations/operation.ts';
import { FakeSwarm, idOf } from './fakeSwarm.ts';
import { errorOf, makeBench } from './gateBench.ts';

type Schema = z.core.JSONSchema.BaseSchema;
type Path = readonly (string | number)[];

/** A field of an input, as its JSON schema shows it, and an input in which it can be given. */
interface Field {
  readonly operation: string;
  readonly path: Path;
  readonly schema: Schema;
  /** A valid value of the object that holds it, so that only this field is wrong. */
  readonly around: Record<string, unknown>;
}

/** What is needed beside a field so that the rest of the input is valid. */
const required: Record<string, Record<string, unknown>> = {
  create_swarm_instance: { name: 'box' },
  update_swarm_instance: { instanceId: idOf(1), name: 'box' },
  get_swarm_instance: { instanceId: idOf(1) },
  open_swarm_instance: { instanceId: idOf(1) },
  get_instance_logs: { instanceId: idOf(1) },
  run_in_instance: { instanceId: idOf(1), command: 'true' },
  adopt_swarm_instance: { found: [{ providerId: 'docker', instanceId: idOf(2) }] },
};
const aroundOf = (operation: string) =>
  required[operation] ??
  (operation.match(/^(start|stop|delete|restart|restore|purge)_/) ? { instanceIds: [idOf(1)] } : {});

/** Every field below a schema: members, items, values of records, and those of each kind of a union. */
function walk(operation: string, schema: Schema, path: Path, around: Record<string, unknown>): Field[] {
  const here: Field[] = path.length > 0 ? [{ operation, path, schema, around }] : [];
  const into = (next: unknown, key: string | number, beside = around) =>
    typeof next === 'object' && next !== null ? walk(operation, next as Schema, [...path, key], beside) : [];
  const membersBeside = (key: string) => (path.length === 0 ? around : setAt(around, path, membersOf(schema, key)));
  const kinds = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])] as Schema[];
  return [
    ...here,
    ...Object.entries(schema.properties ?? {}).flatMap(([key, next]) => into(next, key, membersBeside(key))),
    ...into(schema.items, 0),
    ...(typeof schema.additionalProperties === 'object' ? into(schema.additionalProperties, 'KEY') : []),
    ...kinds.flatMap(kind => walk(operation, kind, path, around).filter(field => field.path.length > path.length)),
  ];
}

/** Valid values for the required members beside `key`, in the objects that occur inside inputs. */
function membersOf(schema: Schema, key: string): Record<string, unknown> {
  const samples: Record<string, unknown> = {
    url: 'https://example.org/r.git',
    path: '/srv/r',
    providerId: 'docker',
    instanceId: idOf(2),
  };
  const kind = (schema.properties?.kind as Schema | undefined)?.const;
  const others = (schema.required ?? []).filter(name => name !== key && name !== 'kind');
  return {
    ...(kind === undefined || key === 'kind' ? {} : { kind }),
    ...Object.fromEntries(others.map(name => [name, samples[name]])),
  };
}

/** A copy of `target` with `value` at `path`; what is missing on the way is made. */
function setAt(target: Record<string, unknown>, path: Path, value: unknown): Record<string, unknown> {
  const copy = structuredClone(target);
  let holder: Record<string | number, unknown> = copy;
  for (const [index, key] of path.slice(0, -1).entries()) {
    if (typeof holder[key] !== 'object') holder[key] = typeof path[index + 1] === 'number' ? [] : {};
    holder = holder[key] as Record<string | number, unknown>;
  }
  holder[path.at(-1) ?? ''] = value;
  return copy;
}

const fields = catalog.flatMap(({ name, input }) =>
  walk(name, z.toJSONSchema(input, { io: 'input', target: 'draft-7' }) as Schema, [], aroundOf(name)),
);

/** Text that people may write freely; what is done with it is safe for any of it. */
const freeText: Record<string, readonly Hostile[]> = {
  'list_swarm_instances.name': ['dots', 'unicode'],
  'list_swarm_instances.metadata.KEY': ['dots', 'unicode', 'control'],
  'create_swarm_instance.env.KEY': ['dots', 'unicode', 'control'],
  'update_swarm_instance.env.KEY': ['dots', 'unicode', 'control'],
  'create_swarm_instance.metadata.KEY': ['dots', 'unicode', 'control'],
  'update_swarm_instance.metadata.KEY': ['dots', 'unicode', 'control'],
  'create_swarm_instance.source.ref': ['dots', 'unicode'],
  'run_in_instance.command': ['dots', 'unicode'],
};

type Hostile = 'control' | 'dots' | 'unicode';
const hostile: Record<Hostile, fc.Arbitrary<string>> = {
  control: fc
    .tuple(fc.constantFrom('\u0000', '\u0007', '\u001B[2J', '\r', '\u2028', '\u007F'), fc.string({ maxLength: 5 }))
    .map(([c, s]) => `a${c}${s}`),
  dots: fc.integer({ min: 1, max: 20 }).map(times => `${'../'.repeat(times)}etc/passwd`),
  unicode: fc.constantFrom('\u202Egnp.exe', 'a\u200Bb', '\uD800', 'ａ／ｂ', '\uFEFFname', '👩‍👩‍👧', '＂; rm'),
};

/** Values of every JSON type but those that the schema takes. */
function wrongTypes(schema: Schema): fc.Arbitrary<unknown> {
  const samples: Record<string, unknown[]> = {
    string: ['text'],
    integer: [],
    number: [7.5, 7],
    boolean: [true],
    object: [{ surprise: 1 }],
    array: [[[]]],
    null: [null],
  };
  const types = schema.oneOf || schema.anyOf ? ['object'] : [schema.type].flat().map(String);
  const taken = types.includes('number') || types.includes('integer') ? [...types, 'number'] : types;
  return fc.constantFrom(...Object.entries(samples).flatMap(([type, values]) => (taken.includes(type) ? [] : values)));
}

/** What is longer or larger than the schema allows; undefined where its type has no size. */
function tooLarge(schema: Schema): unknown {
  if (schema.type === 'string') return 'a'.repeat(40_000);
  if (schema.type === 'array') return Array.from({ length: 70_00 }, () => idOf(1));
  if (schema.type === 'integer' || schema.type === 'number') return 1e12;
  return undefined;
}

const caller = (operation: Operation | undefined) =>
  ({ caller: operation?.audience === 'person' ? 'person' : 'agent' }) as const;

async function expectRefused(field: Field, value: unknown): Promise<void> {
  const bench = makeBenchOnce();
  const input = setAt(field.around, field.path, value);
  const operation = catalog.find(({ name }) => name === field.operation);
  const error = await errorOf(bench.invoke(field.operation, input, caller(operation)));
  expect(error.family).toBe('validation');
  expect(error.message).toContain(field.path.join('.'));
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
    expect(() => operation?.prepare(aroundOf(name))).not.toThrow();
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

      const large = tooLarge(schema);
      if (large !== undefined) test('too large', () => expectRefused(field, large));

      const kinds = (Object.keys(hostile) as Hostile[]).filter(kind => !free.includes(kind));
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
        const error = await errorOf(bench.invoke(name, { ...aroundOf(name), [key]: 1 }, caller(operation)));
        expect(error.message).toContain('is not a field of this operation');
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
