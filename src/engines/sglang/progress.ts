/**
 * How an SGLang is and how much work is in it, by what its scheduler answers. Pure.
 *
 * `/health` generates one token and waits for any answer of the scheduler: 503 while it starts, after it was told to stop, and when
 * none came. Its gauges lag behind by many steps, so loads are asked for instead. Older versions have other names for the same.
 */
import * as v from 'valibot';
import type { Cause, Load, PoolSpec } from '../../machines/vocabulary.ts';
import type { Answer, Ask } from '../adapter.ts';

/** Asked in this order; the second name where the first is not known. */
const steps: readonly (readonly string[])[] = [['/health'], ['/v1/loads', '/get_load'], ['/server_info', '/get_server_info']];

export const progressAsk = (_spec: PoolSpec, _emptying: boolean, soFar: readonly Answer[]): Ask | null => {
  const { path } = walk(soFar);
  return path === null ? null : { method: 'GET', path };
};

export const readLoad = (spec: PoolSpec, soFar: readonly Answer[]): Load | Cause => {
  const [health, loads, info] = walk(soFar).answers;
  if (health?.status !== 200) return unhealthy(health);
  const work = readWork(loads);
  if (work === null) return notUnderstood(loads);
  const slots = Math.min(spec.slots, readSlots(info) ?? spec.slots);
  return { slotsTotal: slots, slotsFree: Math.max(0, slots - work.inFlight), inFlight: work.inFlight };
};

/** Tokens in the cache grow with every step of any request. */
export const readMovement = (soFar: readonly Answer[]): string | null => readWork(walk(soFar).answers[1])?.advance ?? null;

interface Walk {
  /** What to ask next; null: nothing. */
  readonly path: string | null;
  /** The last answer of each step. */
  readonly answers: readonly Answer[];
}

const walk = (soFar: readonly Answer[]): Walk => {
  const answers: Answer[] = [];
  let at = 0;
  for (const names of steps) {
    for (const [index, path] of names.entries()) {
      const answer = soFar[at];
      if (answer === undefined) return { path, answers };
      at += 1;
      answers[steps.indexOf(names)] = answer;
      if (answer.status !== 404 || index === names.length - 1) break;
    }
    // Who is not well has nothing more to tell.
    if (answers[0]?.status !== 200) break;
  }
  return { path: null, answers };
};

const tokens = {
  num_tokens: v.optional(v.number()),
  num_used_tokens: v.optional(v.number()),
  num_total_tokens: v.optional(v.number()),
  num_pages: v.optional(v.number()),
};
const newLoads = v.object({ loads: v.array(v.object({ num_running_reqs: v.number(), num_waiting_reqs: v.number(), ...tokens })) });
/** Here the requests that wait are among all. */
const oldLoads = v.array(v.object({ num_reqs: v.number(), num_waiting_reqs: v.number(), ...tokens }));
const loadsSchema = v.pipe(v.string(), v.parseJson(), v.union([newLoads, oldLoads]));

const readWork = (answer: Answer | undefined): { readonly inFlight: number; readonly advance: string | null } | null => {
  const parsed = answer?.status === 200 ? v.safeParse(loadsSchema, answer.text) : null;
  if (parsed?.success !== true) return null;
  const ranks = 'loads' in parsed.output ? parsed.output.loads : parsed.output;
  if (ranks.length === 0) return null;
  const inFlight = ranks.reduce((sum, rank) => sum + ('num_reqs' in rank ? rank.num_reqs : rank.num_running_reqs + rank.num_waiting_reqs), 0);
  const held = ranks.map((rank) => [rank.num_tokens, rank.num_used_tokens, rank.num_total_tokens, rank.num_pages]);
  const told = held.flat().some((count) => count !== undefined);
  return { inFlight, advance: told ? JSON.stringify(held) : null };
};

/** What its memory allows may be less than it was asked for. */
const infoSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    internal_states: v.array(
      v.object({ effective_max_running_requests_per_dp: v.optional(v.number()), max_running_requests: v.optional(v.nullable(v.number())) }),
    ),
  }),
);

const readSlots = (answer: Answer | undefined): number | null => {
  const parsed = answer?.status === 200 ? v.safeParse(infoSchema, answer.text) : null;
  if (parsed?.success !== true || parsed.output.internal_states.length === 0) return null;
  const perRank = parsed.output.internal_states.map((state) => state.effective_max_running_requests_per_dp ?? state.max_running_requests ?? null);
  return perRank.reduce<number | null>((sum, slots) => (sum === null || slots === null ? null : sum + slots), 0);
};

const unhealthy = (answer: Answer | undefined): Cause => ({
  code: 'health_failed',
  message:
    answer?.status === 503
      ? 'expected 200 from /health, found 503: it still starts, or was told to stop, or its scheduler gave no answer'
      : `expected 200 from /health, found ${summary(answer)}`,
});

const notUnderstood = (answer: Answer | undefined): Cause => ({
  code: 'health_failed',
  message: `expected the requests in the engine from /v1/loads or /get_load, found ${summary(answer)}`,
});

const summary = (answer: Answer | undefined): string =>
  answer === undefined ? 'no answer' : `${answer.status} ${JSON.stringify(answer.text.slice(0, 120))}`;
