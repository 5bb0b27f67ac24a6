import { expect, test } from 'vitest';
import * as z from 'zod';
import { catalog } from '../../../src/operations/catalog.ts';
import type { Operation } from '../../../src/operations/operation.ts';
import { type Around, type Field, fieldsBelow, nameOf, type Schema, setAt } from '../hostileInput.ts';
import { FakeSwarm, idOf } from './fakeSwarm.ts';
import { makeBench } from './gateBench.ts';
import { inputOf } from './sampleInputs.ts';

/** Of members inside inputs. */
const samples = {
  url: 'https://example.org/r.git',
  path: '/srv/r',
  providerId: 'docker',
  instanceId: idOf(2),
  user: 'ann',
  machine: 'desk',
};
/** More than any input may have of anything, in characters or entries. */
const far = 40_000;

const operations = catalog.map(operation => {
  const schema = z.toJSONSchema(operation.input, { io: 'input', target: 'draft-7' }) as Schema;
  return { operation, schema, fields: fieldsBelow(schema, inputOf(operation.name), samples) };
});

/** Texts that could be valid, longer than {@link far}. */
const longTexts = (valid: unknown) => {
  const text = typeof valid === 'string' ? valid : '';
  const inside = [...text].map((c, at) => text.slice(0, at) + c.repeat(far) + text.slice(at + 1));
  return ['a'.repeat(far), '0'.repeat(far), ...inside];
};

/** Valid texts where the type alone does not make one. */
const valid: Readonly<Record<string, string>> = {
  since: '2026-01-31T12:00:00.5Z',
  cursor: '2026-01-31T12:00:00.000Z abcdefghijkl',
  ...samples,
};

/** Entries of a list or record, each another one. */
function manyOf(schema: Schema, count: number): unknown {
  const item = (schema.items ?? {}) as Schema;
  const next = (at: number) => {
    if (item.enum) return item.enum[at % item.enum.length];
    if (item.type === 'integer') return at + 1;
    if (item.type === 'object') {
      const members = Object.entries({
        ...{ ...samples, instanceId: idOf(at), sizeGb: 1 },
        ...{ name: `box ${at}`, owner: { user: 'ann', machine: 'x'.repeat(200) } },
      });
      return Object.fromEntries(members.filter(([name]) => name in (item.properties ?? {})));
    }
    return item.maxLength === 200 ? `some.extension${at}` : item.maxLength === 128 ? `NAME${at}` : idOf(at);
  };
  if (schema.type === 'array') return Array.from({ length: count }, (_, at) => next(at));
  const { maxLength = 100 } = schema.additionalProperties as Schema;
  const value = 'x'.repeat(Math.min(Number(maxLength), 4_096));
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`K${at}`, value]));
}

const isMany = ({ type, additionalProperties }: Schema) =>
  type === 'array' || (type === 'object' && typeof additionalProperties === 'object');

/** Values that are too large, of which one at least is so for nothing but its size. */
function tooMuch({ schema, path }: Field): unknown[] {
  if (schema.type === 'string') return longTexts(valid[String(path.at(-1))]);
  return isMany(schema) ? [manyOf({ ...schema, additionalProperties: {} }, far)] : [];
}

const swarm = new FakeSwarm();

const isTaken = (operation: Operation, input: unknown) => {
  try {
    operation.prepare(input, swarm);
    return true;
  } catch {
    return false;
  }
};

test('every text, list and record of an input has a limit', () => {
  const unbounded = operations.flatMap(({ operation, fields }) =>
    fields
      .filter(field => tooMuch(field).some(value => isTaken(operation, setAt(field.around, field.path, value))))
      .map(field => `${operation.name}: ${nameOf(field)}`),
  );
  expect(unbounded).toEqual([]);
});

/** The largest of what an operation takes: each field that adds to the others as large as it may be. */
function largestOf({ operation, schema }: (typeof operations)[number]): Around {
  let input: Around = inputOf(operation.name);
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    for (const size of [far, 32_768, 10_000, 8_192, 2_048, 1_024, 512, 256, 128, 100, 64, 60, 10]) {
      const texts = () => [
        `https://example.org/${'a'.repeat(Math.max(0, size - 20))}`,
        `/${'a'.repeat(size - 1)}`,
        'a'.repeat(size),
      ];
      const values = isMany(field as Schema)
        ? [manyOf(field as Schema, size)]
        : (field as Schema).type === 'string'
          ? texts()
          : [];
      const fit = values.map(value => ({ ...input, [name]: value })).find(next => isTaken(operation, next));
      if (fit) {
        input = fit;
        break;
      }
    }
  }
  return input;
}

/** The longest turn of the loop while something is done, in milliseconds of processor time. */
async function longestTurn(act: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let before = process.cpuUsage();
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  act().then(end, end);
  while (!isOver) {
    await new Promise(setImmediate);
    const { user, system } = process.cpuUsage(before);
    longest = Math.max(longest, (user + system) / 1_000);
    before = process.cpuUsage();
  }
  return longest;
}

test.each(operations.map(entry => ({ name: entry.operation.name, entry })))(
  '$name stalls nothing with the largest input, nor with one that is larger',
  async ({ entry }) => {
    const { name, audience } = entry.operation;
    const bench = makeBench({ swarm: new FakeSwarm(100) });
    const row = { epoch: 1, swarmId: 'bbbbbbbbbbbbbbbb', role: 'owner', createdAt: '2026-01-01T00:00:00Z' } as const;
    bench.swarm.found = Array.from({ length: 10_000 }, (_, at) => ({
      providerId: 'docker',
      observation: { ...row, id: idOf(at), status: 'running' },
    }));
    const largest = largestOf(entry);
    const larger = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`field${at}`, 'x'.repeat(100)]));
    for (const input of [largest, larger]) {
      const turns: number[] = [];
      // The first ones compile; of the others one may meet the collector.
      for (let time = 0; time < 4; time++) {
        turns.push(await longestTurn(() => bench.invoke(name, input, { caller: audience })));
      }
      expect(Math.min(...turns)).toBeLessThan(50);
    }
  },
);
