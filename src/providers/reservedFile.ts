import * as z from 'zod';
import { reservedFileUnreadable } from '../model/errors.ts';
import { problemsOf } from '../model/problemsOf.ts';
import { InstanceMark, InstanceTitle, InstanceVariables } from './instanceMark.ts';

/** What `reserved/token` holds; an empty one would hide nothing in a log. */
export const Token = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9_-]{16,256}$/, 'must be 16 to 256 letters, digits, dashes and underscores');

/** Below the instance's root; how its reserved files are called in errors. */
const reservedNames = {
  mark: 'reserved/instance.json',
  title: 'reserved/title.json',
  variables: 'reserved/environment.json',
  token: 'reserved/token',
} as const;

/**
 * Reads the text of a file beside a home, which whoever works in the instance may have written. Throws
 * `reservedFileUnreadable`, in which nothing is of the text itself. Undefined when there is no text.
 */
export const reservedFile = {
  mark(instanceId: string, text: string | undefined): InstanceMark | undefined {
    const mark = parsed(InstanceMark, instanceId, reservedNames.mark, text);
    if (mark === undefined || mark.identity.id === instanceId) return mark;
    throw reservedFileUnreadable(instanceId, reservedNames.mark, 'it is that of another instance');
  },
  title(instanceId: string, text: string | undefined): InstanceTitle | undefined {
    return parsed(InstanceTitle.strip(), instanceId, reservedNames.title, text);
  },
  variables(instanceId: string, text: string | undefined): InstanceVariables | undefined {
    return parsed(InstanceVariables, instanceId, reservedNames.variables, text);
  },
  token(instanceId: string, text: string | undefined): string {
    if (text === undefined) throw reservedFileUnreadable(instanceId, reservedNames.token, 'it is not there');
    const { data, error } = Token.safeParse(text, { reportInput: true });
    if (!error) return data;
    throw reservedFileUnreadable(instanceId, reservedNames.token, problemsOf(error, '').join('; '));
  },
};

function parsed<S extends z.ZodType>(
  schema: S,
  instanceId: string,
  file: string,
  text: string | undefined,
): z.output<S> | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw reservedFileUnreadable(instanceId, file, 'it is not JSON');
  }
  const { data, error } = schema.safeParse(value, { reportInput: true });
  if (error) throw reservedFileUnreadable(instanceId, file, problemsOf(error, '').join('; '));
  return data;
}
