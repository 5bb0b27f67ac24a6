import * as z from 'zod';

/** Who calls an operation (semantics 32). */
export const Caller = z.enum(['person', 'agent', 'client', 'controller']);
export type Caller = z.infer<typeof Caller>;

/** Who asked for something, and what they are called: the person's account, `chat`, a client's name. */
export const Asker = z.strictObject({ caller: Caller, actor: z.string().max(256) });
export type Asker = z.infer<typeof Asker>;

/** Whether a program decided that, rather than a person. */
export const isProgram = (caller: Caller): boolean => caller === 'agent' || caller === 'client';
