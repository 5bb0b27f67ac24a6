import { expect, test } from 'vitest';
import { CreateInput, UpdateInput } from '../../../src/operations/instanceInputs.ts';
import { idOf } from './fakeSwarm.ts';

const variables = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, 'x']));

test.each([
  ['a create', CreateInput, { name: 'web' }],
  ['an update', UpdateInput, { instanceId: idOf(1) }],
] as const)('%s takes 256 variables, and says so of more', (_what, schema, input) => {
  expect(schema.safeParse({ ...input, env: variables(256) }).success).toBe(true);
  expect(schema.safeParse({ ...input, env: variables(257) }).error?.issues).toMatchObject([
    { path: ['env'], message: 'must have at most 256 variables' },
  ]);
});
