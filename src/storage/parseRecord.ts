import type * as z from 'zod';
import { messageOf } from '../model/errors.ts';
import { problemsOf } from '../model/problemsOf.ts';
import { onOneLine } from '../model/textCut.ts';

/** A zod object with an `id`. */
export type RecordSchema<T> = z.ZodType<T> & { readonly shape: { readonly id: z.ZodType<string> } };

/** What a state file's bytes turn out to be. */
export type ParsedRecord<T> =
  | { kind: 'record'; record: T }
  /** Torn, not ours, or out of its schema; `problem` in one line. */
  | { kind: 'unreadable'; problem: string }
  /** Written by a later version of the extension; nothing in it is judged. */
  | { kind: 'newer'; version: number };

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Judges the bytes of the file of `id`: strict UTF-8, JSON, of a version we know, of the schema, of that very id. */
export function parseRecord<T extends { id: string }>(
  schema: RecordSchema<T>,
  schemaVersion: number,
  id: string,
  bytes: Uint8Array,
): ParsedRecord<T> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (error) {
    return { kind: 'unreadable', problem: onOneLine(messageOf(error), 200) };
  }
  const version = typeof value === 'object' && value !== null && 'schemaVersion' in value && value.schemaVersion;
  if (typeof version === 'number' && version > schemaVersion) return { kind: 'newer', version };
  const { data, error } = schema.safeParse(value, { reportInput: true });
  if (error) return { kind: 'unreadable', problem: problemsOf(error, 'record').join('; ') };
  if (data.id !== id) return { kind: 'unreadable', problem: `holds the record of "${data.id}"` };
  return { kind: 'record', record: data };
}
