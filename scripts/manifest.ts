import { readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import * as z from 'zod';
import { defaultPolicy, type Effect, type Verdict } from '../src/model/config.ts';
import { agentOperations, catalog } from '../src/operations/catalog.ts';
import { losses, revelations, undoings } from '../src/operations/consequences.ts';
import type { Operation } from '../src/operations/operation.ts';
import { judge } from '../src/operations/policy.ts';
import { type SettingRow, settingsTable } from '../src/vscode/settingsTable.ts';

const file = path.resolve(import.meta.dirname, '../package.json');

export const securityFile = path.resolve(import.meta.dirname, '../docs/security.md');
const tableMarks = ['<!-- operations: written by npm run manifest -->', '<!-- end of operations -->'] as const;

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
    // Not the scope `machine`, which a remote window reads on the other computer.
    scope: row.scope,
    ...(row.ofThisMachine && { ignoreSync: true }),
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

const asked: Readonly<Record<Verdict, string>> = { allow: 'no', confirm: 'yes', deny: 'refused' };

/** The page about security with its table of operations as the catalog says it. */
export function withOperations(page: string): string {
  const [begin, end] = tableMarks.map(mark => page.indexOf(mark));
  if (begin === undefined || end === undefined || begin < 0 || end < begin)
    throw new Error('The marks of the table are gone.');
  const head = ['Operation', 'Destroys', 'Reveals', 'Undone by a person with', 'A person, an agent, a client is asked'];
  const rows = catalog.flatMap(operation => {
    const { title, name, destroys, reveals, undo, worse } = operation;
    const who = (isFinal: boolean) =>
      operation.audience === 'controller'
        ? 'only the controller itself'
        : (['person', 'agent', 'client'] as const)
            .map(caller => asked[judge(caller, { ...operation, isFinal }, defaultPolicy)])
            .join(', ');
    const row = [`${title} \`${name}\``, losses[destroys], revelations[reveals], undoings[undo], who(undo === 'never')];
    if (!worse) return [row];
    const more = [
      `… when ${worse.when}`,
      losses[worse.destroys],
      '',
      undoings[worse.undo],
      who(worse.undo === 'never'),
    ];
    return [row, more];
  });
  const table = [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
  return `${page.slice(0, begin)}${tableMarks[0]}\n${table}\n${page.slice(end)}`;
}

function write(to: string, text: string): void {
  const isSame = readFileSync(to, 'utf8') === text;
  if (!isSame) writeFileSync(to, text);
  console.log(`${path.basename(to)}: ${isSame ? 'unchanged' : 'written'}`);
}

if (process.argv[1] === import.meta.filename && process.argv.includes('--write')) {
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  manifest.contributes = { ...manifest.contributes, ...generatedContributes(manifest) };
  write(file, `${JSON.stringify(manifest, null, 2)}\n`);
  write(securityFile, withOperations(readFileSync(securityFile, 'utf8')));
}
