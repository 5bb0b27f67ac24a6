import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiTypes, typesFile } from '../scripts/flyApi.ts';

test('the types of the Machines API are what the generator makes of the document', async () => {
  expect(readFileSync(typesFile, 'utf8')).toBe(await apiTypes());
}, 30_000);
