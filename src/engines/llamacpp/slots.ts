/** How much work is in a llama-server: `/slots`, and `/metrics` for the queue once all slots are idle. Pure. */
import * as v from 'valibot';
import type { Cause, Load } from '../../machines/vocabulary.ts';
import type { Answer, Ask } from '../adapter.ts';
import { sumSeries } from '../prometheus.ts';

/** Old servers say `state` (0 = idle) instead of `is_processing`. */
const slotsSchema = v.pipe(
  v.array(
    v.object({
      is_processing: v.optional(v.boolean()),
      state: v.optional(v.number()),
      id_task: v.optional(v.number()),
      n_prompt_tokens_processed: v.optional(v.number()),
      next_token: v.optional(v.union([v.array(v.object({ n_decoded: v.optional(v.number()) })), v.object({ n_decoded: v.optional(v.number()) })])),
    }),
  ),
  v.maxLength(4096),
  v.check((slots) => slots.every((slot) => slot.is_processing !== undefined || slot.state !== undefined)),
);

interface Slots {
  readonly total: number;
  readonly busy: number;
  /** How far the busy ones have come, task by task; null: this server does not say. */
  readonly advance: string | null;
}

/** Requests that wait for a slot show only in `/metrics`, and only then matter when none is busy. */
export const slotsAsk = (emptying: boolean, soFar: readonly Answer[]): Ask | null => {
  const [first, second] = soFar;
  if (first === undefined) return { method: 'GET', path: '/slots' };
  if (!emptying || second !== undefined) return null;
  return readSlots(first)?.busy === 0 ? { method: 'GET', path: '/metrics' } : null;
};

export const readLoad = ([first, second]: readonly Answer[]): Load | Cause => {
  const slots = first === undefined ? null : readSlots(first);
  if (slots === null) return notUnderstood(first);
  const queued = second === undefined ? 0 : (queuedIn(second) ?? 0);
  return {
    slotsTotal: slots.total,
    slotsFree: queued > 0 ? 0 : slots.total - slots.busy,
    inFlight: slots.busy + queued,
  };
};

export const readMovement = ([first]: readonly Answer[]): string | null => (first === undefined ? null : (readSlots(first)?.advance ?? null));

const readSlots = ({ status, text }: Answer): Slots | null => {
  if (status !== 200) return null;
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), slotsSchema), text);
  if (!parsed.success) return null;
  const busy = parsed.output.filter((slot) => slot.is_processing ?? slot.state !== 0);
  const known = busy.every((slot) => slot.n_prompt_tokens_processed !== undefined && slot.next_token !== undefined);
  const advance = busy.map((slot) => [slot.id_task, slot.n_prompt_tokens_processed, slot.next_token]);
  return { total: parsed.output.length, busy: busy.length, advance: known ? JSON.stringify(advance) : null };
};

/** Null: this server has no metrics. With every slot idle its queue moves on by itself, so nothing waits there for long. */
const queuedIn = (answer: Answer): number | null => (answer.status === 200 ? sumSeries(answer.text, ['llamacpp:requests_deferred']) : null);

const notUnderstood = (answer: Answer | undefined): Cause => ({
  code: 'health_failed',
  message: `expected the list of slots from /slots, found ${answer === undefined ? 'no answer' : `${answer.status} ${JSON.stringify(answer.text.slice(0, 120))}`}`,
});
