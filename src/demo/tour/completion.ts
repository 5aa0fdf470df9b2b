/** Asks an engine for text, straight at its endpoint, as clients do. */
import * as v from 'valibot';
import { readBounded } from '../../read-bounded.ts';
import { TourFailure } from './trail.ts';

export interface Completed {
  readonly tokens: number;
  readonly text: string;
  readonly ms: number;
}

const answer = v.pipe(v.string(), v.parseJson(), v.object({ content: v.string(), tokens_predicted: v.number() }));

const withinMs = 60_000;
const longestBytes = 1024 * 1024;

/** Rejects with a TourFailure where the answer is cut, refused or not whole. */
export const complete = async (endpoint: string, tokens: number, signal: AbortSignal): Promise<Completed> => {
  const began = performance.now();
  const text = await ask(endpoint, tokens, AbortSignal.any([signal, AbortSignal.timeout(withinMs)])).catch((thrown: unknown) => {
    throw new TourFailure(`expected a completion of ${tokens} tokens from ${endpoint}, found ${describe(thrown)}`);
  });
  const parsed = v.safeParse(answer, text);
  if (!parsed.success) throw new TourFailure(`expected a completion from ${endpoint}, found ${text.slice(0, 200)}`);
  const { content, tokens_predicted: predicted } = parsed.output;
  if (predicted !== tokens) throw new TourFailure(`expected ${tokens} tokens from ${endpoint}, found ${predicted}`);
  return { tokens: predicted, text: content, ms: performance.now() - began };
};

export interface Work {
  readonly requests: number;
  /** Of each. */
  readonly tokens: number;
}

/** Work for some seconds, going by what the engine did before. */
export const workFor = (ms: number, { tokens, ms: took }: Completed): Work => workOf((tokens / took) * ms);

/** Null: more is not asked of an engine. */
export const heavierThan = ({ requests, tokens }: Work): Work | null =>
  requests === mostRequests && tokens === mostTokens ? null : workOf(requests * tokens * 8);

/** What does not fit in one request is asked in several at once; those that find no slot wait within the engine. */
const workOf = (tokens: number): Work => ({
  requests: Math.max(1, Math.min(mostRequests, Math.ceil(tokens / mostTokens))),
  tokens: Math.round(Math.max(fewestTokens, Math.min(mostTokens, tokens))),
});

const mostRequests = 8;
const fewestTokens = 16;
/** Fits in the context of a slot. */
const mostTokens = 1_000;

/** Work that goes on; whether it has ended can be asked. */
export const beginWork = (endpoint: string, { requests, tokens }: Work, signal: AbortSignal) => {
  let over = false;
  const began = performance.now();
  const done = Promise.all(Array.from({ length: requests }, () => complete(endpoint, tokens, signal)))
    .then((completed) => ({ tokens: completed.reduce((sum, one) => sum + one.tokens, 0), ms: performance.now() - began }))
    .finally(() => {
      over = true;
    });
  done.catch(() => undefined);
  return { done, isOver: () => over };
};

/** Whether a slot of the engine works, going by the engine itself. */
export const isBusy = async (endpoint: string): Promise<boolean> => {
  const response = await fetch(new URL('/slots', endpoint), { signal: AbortSignal.timeout(slotsWithinMs) });
  const parsed = v.safeParse(slots, await readBounded(response, longestBytes));
  if (!parsed.success) throw new TourFailure(`expected the slots of ${endpoint}, found something else (status ${response.status})`);
  return parsed.output.some((slot) => slot.is_processing);
};

const slots = v.pipe(v.string(), v.parseJson(), v.array(v.object({ is_processing: v.boolean() })));
const slotsWithinMs = 10_000;

const ask = async (endpoint: string, tokens: number, signal: AbortSignal): Promise<string> => {
  const response = await fetch(new URL('/completion', endpoint), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'Once upon a time', n_predict: tokens, ignore_eos: true }),
    signal,
  });
  const text = await readBounded(response, longestBytes);
  if (!response.ok) throw new Error(`status ${response.status}: ${text.slice(0, 200)}`);
  return text;
};

const describe = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.cause instanceof Error ? `${thrown.message} (${thrown.cause.message})` : thrown.message;
};
