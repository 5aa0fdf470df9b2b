/** The query string, checked by a schema that also describes it in the OpenAPI document. Unknown keys are mistakes. */
import type { JsonSchema } from '@valibot/to-json-schema';
import { validator } from 'hono-openapi';
import * as v from 'valibot';
import { invalidParams } from './invalid-params.ts';

/** hono-openapi would answer with an error shape of its own; the hook keeps it to ours. */
export const query = <S extends v.GenericSchema<Record<string, string | undefined>, Record<string, unknown>>>(schema: S) =>
  validator(
    'query',
    schema,
    (result) => {
      if (!result.success) throw invalidParams('query', result.error);
    },
    { options: { overrideSchema: ({ valibotSchema }: { valibotSchema: object }) => meant.get(valibotSchema) } },
  );

/** What the text of a parameter stands for, for the document: an integer is not a string with digits. */
const meant = new WeakMap<object, JsonSchema>();

/** Digits, as a number between two bounds. */
export const wholeNumber = (least: number, most: number) => {
  const digits = v.string();
  meant.set(digits, { type: 'integer', minimum: least, maximum: most });
  const fits = (text: string): boolean => /^\d{1,16}$/.test(text) && Number(text) >= least && Number(text) <= most;
  return v.pipe(
    digits,
    v.check(fits, `expected a whole number from ${least} to ${most}`),
    v.transform((text) => Number(text)),
  );
};

export const flag = () => {
  const word = v.picklist(['true', 'false', '1', '0'], 'expected true or false');
  meant.set(word, { type: 'boolean' });
  return v.pipe(
    word,
    v.transform((text) => text === 'true' || text === '1'),
  );
};
