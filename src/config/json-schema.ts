/** JSON Schema of the pools file, for editors. What holds between several keys is not in it: `config check` tells that. */
import { toJsonSchema } from '@valibot/to-json-schema';
import { poolsFileSchema } from './pool-schema.ts';

/** Checks without a counterpart in JSON Schema; anything else that has none is our mistake and throws. */
const notInSchema = ['partial_check', 'check_items'];

export const poolsJsonSchema = (): Readonly<Record<string, unknown>> => {
  const { $schema, ...schema } = toJsonSchema(poolsFileSchema, { target: 'draft-07', typeMode: 'input', ignoreActions: notInSchema });
  return { $schema, title: 'pool-managerd pools file', ...schema };
};

export const poolsJsonSchemaText = (): string => `${JSON.stringify(poolsJsonSchema(), null, 2)}\n`;
