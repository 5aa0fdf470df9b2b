/** What is said of a model that is not where it was named. Pure. */
import type { Cause } from '../../machines/vocabulary.ts';

export const modelMissing = (path: string, found: string): Cause => ({
  code: 'model_missing',
  message: `expected a readable model at ${path}, found ${found}; set \`model\``,
  details: { path },
});
