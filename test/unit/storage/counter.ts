import * as z from 'zod';

/** The record of the store tests. */
export const Counter = z.strictObject({
  id: z.string().regex(/^[a-z0-9]{4}$/),
  schemaVersion: z.literal(1),
  revision: z.int().min(0),
  count: z.int(),
  note: z.string().default(''),
});
export type Counter = z.infer<typeof Counter>;

export const counter = (id: string, count = 0): Counter => ({ id, schemaVersion: 1, revision: 0, count, note: '' });

/** A change that counts one up, from nothing too. */
export const increment =
  (id: string) =>
  (current: Counter | null): Counter => ({ ...(current ?? counter(id)), count: (current?.count ?? 0) + 1 });
