/** What the API takes: bodies and queries. Ours are strict; those that clients of the older daemon send too are not. */
import * as v from 'valibot';
import { flag, wholeNumber } from '../query.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** Nothing to say besides the path. */
export const emptyBody = v.strictObject({});

/** orchestratord and older tools post whatever they like here. */
export const ignoredBody = v.looseObject({});

export const drainBody = v.strictObject({
  /** Milliseconds until the engine is ended with work left in it; absent: the pool's `timeouts.drain_ms`. */
  deadline_ms: v.optional(v.pipe(v.number(), v.integer('expected a whole number of milliseconds'), v.minValue(0), v.maxValue(dayMs))),
});

/** Fields of the spec to replace; `new_model_ref` is the older name of `model`. Or `as_filed` alone: what the pools file says. */
export const reloadBody = v.looseObject({
  as_filed: v.optional(v.boolean()),
  new_model_ref: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(4096))),
});

/** Checked by config, which knows what a pool is. */
export const declarationBody = v.looseObject({ id: v.unknown() });

export const eventsQuery = v.strictObject({
  limit: v.optional(wholeNumber(1, 1000)),
  before: v.optional(wholeNumber(0, Number.MAX_SAFE_INTEGER)),
});

export const logsQuery = v.strictObject({
  tail: v.optional(wholeNumber(0, 10_000)),
  follow: v.optional(flag()),
  run: v.optional(v.picklist(['current', 'previous'], 'expected current or previous')),
});
