/** How much work is in a TGI, and whether it gets on, from its router's `/metrics`. Pure. Before its first request it names no series. */
import type { Cause, Load, PoolSpec } from '../../machines/vocabulary.ts';
import type { Answer, Ask } from '../adapter.ts';
import { sumSeries } from '../prometheus.ts';

export const metricsAsk = (_spec: PoolSpec, _emptying: boolean, soFar: readonly Answer[]): Ask | null =>
  soFar.length === 0 ? { method: 'GET', path: '/metrics' } : null;

export const readLoad = ({ slots }: PoolSpec, [answer]: readonly Answer[]): Load | Cause => {
  if (answer?.status !== 200) return notUnderstood(answer);
  const inFlight = sumSeries(answer.text, ['tgi_queue_size', 'tgi_batch_current_size']);
  return { slotsTotal: slots, slotsFree: inFlight === null ? null : Math.max(0, slots - inFlight), inFlight };
};

/** Prefills and decode steps that came to an end. */
export const readMovement = ([answer]: readonly Answer[]): string | null => {
  const steps = answer?.status === 200 ? sumSeries(answer.text, ['tgi_batch_inference_success']) : null;
  return steps === null ? null : String(steps);
};

const notUnderstood = (answer: Answer | undefined): Cause => ({
  code: 'health_failed',
  message: `expected metrics from /metrics, found ${answer === undefined ? 'no answer' : `${answer.status} ${JSON.stringify(answer.text.slice(0, 120))}`}`,
});
