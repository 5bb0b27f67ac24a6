// `node scripts/flyApi.ts --write`: makes the types of the Machines API from Fly's own document.
import { readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import * as path from 'node:path';

const folder = path.resolve(import.meta.dirname, '..', 'src', 'providers', 'fly', 'api');
const documentFile = path.join(folder, 'machines-openapi.json');
export const typesFile = path.join(folder, 'machinesApi.d.ts');

/** As much of an OpenAPI document as is looked at. */
interface Schema {
  $ref?: string;
  type?: string;
  enum?: string[];
  allOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
}
interface Operation {
  operationId?: string;
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: Schema }> }>;
}
export interface ApiDocument {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];

/**
 * Fly's document, completed: every operation may fail with an `ErrorResponse`, which most leave unsaid; a request may
 * hold no field that is not in it, and nor may what a request and a reply have in common; and `autostop` may be the
 * boolean that replies have, as its description says. Names of operations, two of which are the same, are left out, and so is
 * the list of kinds of errors, which has grown since.
 */
export function completedDocument(): ApiDocument {
  const document = JSON.parse(readFileSync(documentFile, 'utf8')) as ApiDocument;
  const { schemas } = document.components;
  const closed = new Set<Schema>();
  const close = (schema: Schema | undefined) => {
    if (!schema || closed.has(schema)) return;
    closed.add(schema);
    if (schema.$ref) close(schemas[schema.$ref.split('/').at(-1) ?? '']);
    for (const part of schema.allOf ?? []) close(part);
    close(schema.items);
    for (const property of Object.values(schema.properties ?? {})) close(property);
    if (typeof schema.additionalProperties === 'object') close(schema.additionalProperties);
    if (schema.properties) schema.additionalProperties ??= false;
  };
  const failure = {
    description: 'What went wrong',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/ErrorResponse' } } },
  };
  for (const operations of Object.values(document.paths)) {
    for (const method of methods) {
      const operation = operations[method];
      if (!operation) continue;
      operation.responses.default ??= failure;
      delete operation.operationId;
      for (const { schema } of Object.values(operation.requestBody?.content ?? {})) close(schema);
    }
  }
  delete schemas['main.statusCode']?.enum;
  const service = schemas['fly.MachineService']?.properties;
  if (service?.autostop) service.autostop = { oneOf: [service.autostop, { type: 'boolean' }] };
  return document;
}

/** The text of `machinesApi.d.ts`. */
export async function apiTypes(): Promise<string> {
  // The generator is written for the compiler's older interface, which the project's own compiler no longer has.
  registerHooks({
    resolve: (name, context, next) => next(name === 'typescript' ? 'typescript5' : name, context),
  });
  const { astToString, default: generate } = await import('openapi-typescript');
  const text = astToString(await generate(JSON.stringify(completedDocument())));
  return `// Made by scripts/flyApi.ts of machines-openapi.json; see README.md beside it.\n${text}`;
}

if (process.argv[2] === '--write') writeFileSync(typesFile, await apiTypes());
