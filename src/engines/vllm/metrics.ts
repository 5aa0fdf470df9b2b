/**
 * How much work is in a vLLM, and whether it gets on, from `/metrics`. Pure.
 *
 * These numbers come from beside the work loop: in a real standstill the gauge of running requests has read 0 (vllm #46811), so
 * that 0 is what the engine says and no proof of idleness. What proves it is `health.canary`.
 */
import type { Cause, Load, PoolSpec } from '../../machines/vocabulary.ts';
import type { Answer, Ask } from '../adapter.ts';
import { sumSeries } from '../prometheus.ts';

export const metricsAsk = (_spec: PoolSpec, _emptying: boolean, soFar: readonly Answer[]): Ask | null =>
  soFar.length === 0 ? { method: 'GET', path: '/metrics' } : null;

/** It does not say how many it takes at once: that is what it was started with. */
export const readLoad = ({ slots }: PoolSpec, [answer]: readonly Answer[]): Load | Cause => {
  if (answer?.status !== 200) return notUnderstood(answer);
  const inFlight = sumSeries(answer.text, ['vllm:num_requests_running', 'vllm:num_requests_waiting']);
  return { slotsTotal: slots, slotsFree: inFlight === null ? null : Math.max(0, slots - inFlight), inFlight };
};

/** Steps of the engine and tokens of any request. */
const counters = ['vllm:iteration_tokens_total_count', 'vllm:generation_tokens_total', 'vllm:prompt_tokens_total'] as const;

export const readMovement = ([answer]: readonly Answer[]): string | null => {
  const counts = answer?.status === 200 ? counters.map((name) => sumSeries(answer.text, [name])) : [];
  return counts.every((count) => count === null) ? null : JSON.stringify(counts);
};

const notUnderstood = (answer: Answer | undefined): Cause => ({
  code: 'health_failed',
  message: `expected metrics from /metrics, found ${answer === undefined ? 'no answer' : `${answer.status} ${JSON.stringify(answer.text.slice(0, 120))}`}`,
});
