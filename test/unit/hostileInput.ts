import * as fc from 'fast-check';
import type * as z from 'zod';

export type Schema = z.core.JSONSchema.BaseSchema;
export type Path = readonly (string | number)[];
export type Around = Readonly<Record<string, unknown>>;

/** A field of something that is read, as its JSON schema shows it, and a whole in which it can be given. */
export interface Field {
  readonly path: Path;
  readonly schema: Schema;
  /** A valid value of the whole, so that only this field is wrong. */
  readonly around: Around;
}

/** `a.0.b`, as errors name it. */
export const nameOf = ({ path }: Pick<Field, 'path'>) => path.join('.');

/**
 * Every field below a schema: members, items, values of records, and those of each kind of a union. `samples` are valid
 * values of required members inside, by their names.
 */
export function fieldsBelow(schema: Schema, around: Around, samples: Around = {}, path: Path = []): Field[] {
  const here: Field[] = path.length > 0 ? [{ path, schema, around }] : [];
  const into = (next: unknown, key: string | number, beside = around) =>
    typeof next === 'object' && next !== null ? fieldsBelow(next as Schema, beside, samples, [...path, key]) : [];
  const besides = (key: string) => {
    if (path.length === 0) return around;
    const [there, members] = [valueAt(around, path), membersOf(schema, key, samples)];
    const which = discriminators.find(name => name in members);
    const another = which !== undefined && there[which] !== members[which];
    return setAt(around, path, another ? members : { ...members, ...there });
  };
  const kinds = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])] as Schema[];
  return [
    ...here,
    ...Object.entries(schema.properties ?? {}).flatMap(([key, next]) => into(next, key, besides(key))),
    ...into(schema.items, 0),
    ...(typeof schema.additionalProperties === 'object' ? into(schema.additionalProperties, 'KEY') : []),
    ...kinds.flatMap(kind => fieldsBelow(kind, around, samples, path).filter(field => field.path.length > path.length)),
  ];
}

/** The members that tell the kinds of a union apart. */
const discriminators = ['kind', 'by'];

/** Valid values for the required members beside `key`, in an object that occurs inside. */
function membersOf(schema: Schema, key: string, samples: Around): Around {
  const kindOf = (name: string) => (schema.properties?.[name] as Schema | undefined)?.const;
  const which = discriminators.find(name => kindOf(name) !== undefined);
  const others = (schema.required ?? []).filter(name => name !== key && name !== which && name in samples);
  return {
    ...(which === undefined || key === which ? {} : { [which]: kindOf(which) }),
    ...Object.fromEntries(others.map(name => [name, samples[name]])),
  };
}

function valueAt(target: unknown, path: Path): Around {
  const value = path.reduce<unknown>((holder, key) => (holder as Record<string | number, unknown>)?.[key], target);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Around) : {};
}

/** A copy of `target` with `value` at `path`; what is missing on the way is made. */
export function setAt(target: Around, path: Path, value: unknown): Record<string, unknown> {
  const copy = structuredClone(target) as Record<string, unknown>;
  let holder: Record<string | number, unknown> = copy;
  for (const [index, key] of path.slice(0, -1).entries()) {
    if (typeof holder[key] !== 'object') holder[key] = typeof path[index + 1] === 'number' ? [] : {};
    holder = holder[key] as Record<string | number, unknown>;
  }
  holder[path.at(-1) ?? ''] = value;
  return copy;
}

export type Hostile = 'control' | 'dots' | 'unicode';
export const hostile: Record<Hostile, fc.Arbitrary<string>> = {
  control: fc
    .tuple(fc.constantFrom('\u0000', '\u0007', '\u001B[2J', '\r', '\u2028', '\u007F'), fc.string({ maxLength: 5 }))
    .map(([c, s]) => `a${c}${s}`),
  dots: fc.integer({ min: 1, max: 20 }).map(times => `${'../'.repeat(times)}etc/passwd`),
  unicode: fc.constantFrom('\u202Egnp.exe', 'a\u200Bb', '\uD800', 'ａ／ｂ', '\uFEFFname', '👩‍👩‍👧', '＂; rm'),
};
export const hostileKinds = Object.keys(hostile) as Hostile[];

/** Hostile text alone, and at the end and in the middle of what would be valid. */
export const hostileAround = (kind: Hostile, valid: string): fc.Arbitrary<string> =>
  hostile[kind].chain(text => {
    const below = [text, `${valid}/${text}`, `${valid}/${text}/${valid}`];
    // Dots without a slash before them are part of a name.
    if (kind === 'dots') return fc.constantFrom(...below);
    return fc.constantFrom(...below, `${valid}${text}`, `${valid.slice(0, -1)}${text}${valid.slice(-1)}`);
  });

/** Values of every JSON type but those that the schema takes. */
export function wrongTypes(schema: Schema): fc.Arbitrary<unknown> {
  const samples: Record<string, unknown[]> = {
    string: ['text'],
    integer: [],
    number: [7.5, 7],
    boolean: [true],
    object: [{ surprise: 1 }],
    array: [[[]]],
    null: [null],
  };
  const types = schema.oneOf || schema.anyOf ? ['object'] : [schema.type ?? typeOfConst(schema)].flat().map(String);
  const taken = types.includes('number') || types.includes('integer') ? [...types, 'number'] : types;
  return fc.constantFrom(...Object.entries(samples).flatMap(([type, values]) => (taken.includes(type) ? [] : values)));
}

const typeOfConst = (schema: Schema) => (schema.const === undefined ? undefined : typeof schema.const);

/** What is longer or larger than the schema allows; undefined where its type has no size. */
export function tooLarge(schema: Schema, item: unknown): unknown {
  if (schema.type === 'string') return 'a'.repeat(40_000);
  if (schema.type === 'array') return Array.from({ length: 7_000 }, () => item);
  if (schema.type === 'integer' || schema.type === 'number') return 1e12;
  return undefined;
}
