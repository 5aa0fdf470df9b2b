/** One token over the OpenAI API, as vLLM, SGLang and TGI speak it. Pure. */
import * as v from 'valibot';
import type { Cause, ModelPresent } from '../machines/vocabulary.ts';
import type { Answer, Ask } from './adapter.ts';

const path = '/v1/completions';

/** The model is asked for by the name that it is served under. */
export const completionAsk = (_spec: unknown, model: Pick<ModelPresent, 'id'>): Ask => ({
  method: 'POST',
  path,
  body: JSON.stringify({ model: model.id, prompt: 'a', max_tokens: 1, temperature: 0 }),
});

const completion = v.pipe(v.string(), v.parseJson(), v.object({ usage: v.object({ completion_tokens: v.number() }) }));

export const readCompletion = ({ status, text }: Answer): true | Cause => {
  const parsed = status === 200 ? v.safeParse(completion, text) : null;
  if (parsed?.success === true && parsed.output.usage.completion_tokens >= 1) return true;
  return { code: 'health_failed', message: `expected one generated token from ${path}, found ${status} ${JSON.stringify(text.slice(0, 160))}` };
};
