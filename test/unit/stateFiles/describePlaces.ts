import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import {
  type Field,
  fieldsBelow,
  hostile,
  hostileAround,
  hostileKinds,
  nameOf,
  type Path,
  type Schema,
  setAt,
  tooLarge,
  wrongTypes,
} from '../hostileInput.ts';
import { expectReadable, type FilePlace, type Freedom, latin } from './place.ts';

/** Of required members in the kinds of a union that the sample is not of. */
const samples = {
  ...{ url: 'https://example.org/r.git', path: '/srv/r' },
  ...{ swarmId: 'bbbbbbbbbbbbbbbb', owner: { user: 'bob', machine: 'm2' } },
  ...{ epoch: 2, generation: 3, role: 'owner', status: 'running' },
};

/** Of each property, in the long form (REMOTE_SWARM_SOAK=1) and in the short one; every seed is another. */
const runs = process.env.REMOTE_SWARM_SOAK === '1' ? 30 : 3;

const schemaOf = (place: FilePlace) => z.toJSONSchema(place.schema, { io: 'input', target: 'draft-7' }) as Schema;
const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));
const at = (target: unknown, path: Path) =>
  path.reduce<unknown>((holder, key) => (holder as Record<string | number, unknown> | undefined)?.[key], target);

/** A value that only its schema can have let through, or a refusal that says why. */
async function expectJudged(place: FilePlace, field: Field, value: unknown, free: boolean): Promise<void> {
  const whole = setAt(field.around, field.path, value);
  const { value: taken, said } = await place.read(bytesOf(whole));
  if (free && taken !== undefined) {
    expect(at(taken, field.path)).toEqual(value);
    return;
  }
  expect(taken).toBeUndefined();
  expectReadable(said);
  if (place.namesFields) expect(said).toContain(`${nameOf(field)}: `);
}

/** Neither names that no field can have, nor, where the names are known, any other. */
async function expectNoOthers(place: FilePlace, { path, schema, around }: Field): Promise<void> {
  const strange = Object.values(hostile);
  const keys = schema.additionalProperties === false ? [...strange, fc.constant('surprise')] : strange;
  await fc.assert(
    fc.asyncProperty(fc.oneof(...keys), async key => {
      const { value, said } = await place.read(bytesOf(setAt(around, [...path, key], 'x')));
      expect(value).toBeUndefined();
      expectReadable(said);
      if (place.namesFields) expect(said).toContain([...path, ''].join('.'));
    }),
    { numRuns: runs },
  );
}

/** Every field of every kind of file, each with everything that it must not hold. */
export const describePlaces = (places: readonly FilePlace[]) =>
  describe.each(places)('$file', place => {
    const fields = fieldsBelow(schemaOf(place), place.sample, samples);
    const isFree = (field: Field, freedom: Freedom) => place.free[nameOf(field)]?.includes(freedom) ?? false;

    test('that is whole is read as it is, with every field', async () => {
      const { value } = await place.read(bytesOf(place.sample));
      expect(value).toEqual(place.sample);
      const names = new Set(fields.map(nameOf));
      const given = fields.filter(({ path }) => at(place.sample, path) !== undefined).map(nameOf);
      // A sample is of one kind of each union.
      const others = /\.(KEY|path)$|^KEY$|^overruled\.(epoch|generation|role|status)$/;
      expect([...names].filter(name => !given.includes(name) && !others.test(name))).toEqual([]);
      expect(Object.keys(place.free).filter(name => !names.has(name))).toEqual([]);
    });

    const others = { path: [], schema: schemaOf(place), around: place.sample };
    if (!place.ignoresOthers) test('with a field that nobody knows', () => expectNoOthers(place, others));

    describe.each(fields.map(field => ({ name: nameOf(field), field })))('$name', ({ field }) => {
      test('of a wrong type', async () => {
        await fc.assert(
          fc.asyncProperty(wrongTypes(field.schema), value => expectJudged(place, field, value, isFree(field, 'type'))),
          { numRuns: runs },
        );
      });

      const large = tooLarge(field.schema, at(field.around, [...field.path, 0]) ?? 'a');
      // A version that is higher than ours is another matter, see below.
      if (large !== undefined && nameOf(field) !== 'schemaVersion') {
        test('too large', () => expectJudged(place, field, large, isFree(field, 'large')));
      }

      const text = at(field.around, field.path);
      test.each(field.schema.type === 'string' ? hostileKinds : [])('text with %s', async kind => {
        await fc.assert(
          fc.asyncProperty(hostileAround(kind, typeof text === 'string' ? text : 'a'), value =>
            expectJudged(place, field, value, isFree(field, kind)),
          ),
          { numRuns: runs },
        );
      });

      if (field.schema.type !== 'object' || place.ignoresOthers) return;
      test('with a member that nobody knows', () => expectNoOthers(place, field));
    });

    test('torn, overwritten or of another format', async () => {
      const whole = bytesOf(place.sample);
      const torn = fc.oneof(
        fc.nat({ max: whole.length - 1 }).map(length => whole.subarray(0, length)),
        fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
        fc.json().map(text => Buffer.from(text)),
        fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })).map(([place, byte]) => {
          const bytes = Buffer.from(whole);
          bytes[place] = byte;
          return bytes;
        }),
        fc.constant(Buffer.from('['.repeat(50_000))),
        fc.constant(Buffer.concat([Buffer.from('\uFEFF'), whole])),
      );
      const ofOurs = torn.filter(bytes => !/"schemaVersion":[2-9]/.test(latin(bytes)));
      await fc.assert(
        fc.asyncProperty(ofOurs, async bytes => {
          const { value, said } = await place.read(bytes);
          if (value === undefined) expectReadable(said);
          else expect(place.schema.safeParse(value).success).toBe(true);
        }),
        { numRuns: 60 },
      );
    });

    if (!fields.some(field => nameOf(field) === 'schemaVersion')) return;
    test('of a newer version is left alone', async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 2 }), fc.jsonValue(), async (schemaVersion, other) => {
          const reading = place.read(bytesOf({ ...place.sample, schemaVersion, other }));
          const said = await reading.then(
            outcome => (outcome.value === undefined ? outcome.said : 'taken'),
            (error: { code?: string; message?: string }) =>
              error.code === 'newer-state' ? error.message : 'another error',
          );
          expect(said).toContain(`was written by a newer version of this extension (schema ${schemaVersion})`);
        }),
        { numRuns: 15 },
      );
    });
  });
