import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import * as z from 'zod';
import type { Effect } from '../src/model/config.ts';
import { agentOperations } from '../src/operations/catalog.ts';
import type { Operation } from '../src/operations/operation.ts';
import { type SettingRow, settingsTable } from '../src/vscode/settingsTable.ts';

const file = path.resolve(import.meta.dirname, '../package.json');

type Json = Record<string, unknown>;
type Schema = z.core.JSONSchema.BaseSchema;

const icons: Record<Effect, string> = {
  read: '$(eye)',
  change: '$(server-environment)',
  execute: '$(terminal)',
  destroy: '$(trash)',
};

/** The parts of package.json's `contributes` that follow from the catalog and the settings table. */
export function generatedContributes(manifest: { publisher: string; name: string }): Json {
  const asked = agentOperations.filter(({ effect }) => effect === 'destroy' || effect === 'execute');
  return {
    languageModelTools: agentOperations.map(tool),
    configurationDefaults: {
      'chat.tools.eligibleForAutoApproval': Object.fromEntries(
        asked.map(operation => [`${manifest.publisher}.${manifest.name}/${referenceName(operation)}`, false]),
      ),
    },
    configuration: {
      title: '%configuration.title%',
      properties: Object.fromEntries(
        settingsTable.toSorted((one, other) => one.order - other.order).map(row => [row.key, setting(row)]),
      ),
    },
  };
}

function tool(operation: Operation): Json {
  const { name, description, effect, input } = operation;
  return {
    name,
    displayName: `%tool.${name}.displayName%`,
    userDescription: `%tool.${name}.userDescription%`,
    modelDescription: description,
    toolReferenceName: referenceName(operation),
    canBeReferencedInPrompt: true,
    icon: icons[effect],
    tags: ['remote-swarm', effect],
    inputSchema: jsonSchema(input, portable),
  };
}

/** `list_swarm_instances` → `listSwarmInstances`. */
const referenceName = ({ name }: Operation) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

function setting(row: SettingRow): Json {
  const described = (schema: Schema) => {
    if (schema.enum && row.enumDescriptions) {
      const keys = schema.enum.map(value => row.enumDescriptions?.[String(value)]);
      if (keys.every(key => key !== undefined)) schema.markdownEnumDescriptions = keys.map(key => `%${key}%`);
    }
    spellOutRecord(schema);
  };
  // What an object leaves out comes from its default.
  const { required: _, ...schema } = jsonSchema(row.schema, described);
  return {
    ...schema,
    default: row.default,
    scope: row.scope,
    order: row.order,
    markdownDescription: `%${row.description}%`,
  };
}

/** What a record of an enumeration means, in words that the settings editor shows: a property for each key. */
function spellOutRecord(schema: Schema): void {
  const { propertyNames: names, additionalProperties: value } = schema;
  if (typeof names !== 'object' || !names.enum || typeof value !== 'object') return;
  schema.properties = Object.fromEntries(names.enum.map(name => [String(name), value]));
  schema.additionalProperties = false;
  delete schema.propertyNames;
  delete schema.required;
}

/** Leaves out what some models refuse: classes of Unicode, `allOf` and `oneOf`. The gate checks all of it anyway. */
function portable(schema: Schema): void {
  for (const part of schema.allOf ?? []) {
    if (typeof part === 'object' && part.pattern !== undefined) schema.pattern = part.pattern;
  }
  delete schema.allOf;
  if (schema.pattern?.includes('\\p{')) delete schema.pattern;
  if (schema.oneOf) {
    schema.anyOf = schema.oneOf;
    delete schema.oneOf;
  }
}

function jsonSchema(schema: z.ZodType, change: (schema: Schema) => void): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema: part }) => change(part),
  });
  return rest;
}

if (process.argv[1] === import.meta.filename && process.argv.includes('--write')) {
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  manifest.contributes = { ...manifest.contributes, ...generatedContributes(manifest) };
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
