import * as z from 'zod';
import { problemsOf } from '../model/problemsOf.ts';

/** One thing to ask for when a provider is added: made from the schema of its type. */
export interface ProviderField {
  readonly name: string;
  readonly title: string;
  readonly description: string | undefined;
  readonly kind: 'text' | 'number' | 'boolean' | 'choice';
  readonly choices: readonly string[];
  readonly required: boolean;
  /** Why a value can't be used; undefined when it can. */
  problem(value: unknown): string | undefined;
}

/** The plain fields of a provider type's settings, `id` and `type` left out. What is nested is left to settings.json. */
export function fieldsOf(schema: z.ZodType): ProviderField[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape)
    .filter(([name]) => name !== 'id' && name !== 'type')
    .flatMap(([name, field]): ProviderField[] => {
      const described = z.toJSONSchema(field as z.ZodType, { io: 'input', unrepresentable: 'any' });
      const choices = Array.isArray(described.enum) ? described.enum.map(String) : [];
      const kind = choices.length > 0 ? 'choice' : kindOf(described.type);
      if (kind === undefined) return [];
      return [
        {
          name,
          title: described.title ?? name,
          description: described.description,
          kind,
          choices,
          required: !(field as z.ZodType).safeParse(undefined).success,
          problem: value => {
            const { error } = (field as z.ZodType).safeParse(value, { reportInput: true });
            return error && problemsOf(error, '')[0];
          },
        },
      ];
    });
}

function kindOf(type: unknown): ProviderField['kind'] | undefined {
  switch (type) {
    case 'string':
      return 'text';
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    default:
      return undefined;
  }
}
