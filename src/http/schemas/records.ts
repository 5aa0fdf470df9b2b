/** Answers that are not views of machines: health, history, logs, what orchestratord said, and the one shape of errors. */
import * as v from 'valibot';
import { reasonCodes } from '../../machines/reasons.ts';
import { problemCodes } from '../problems.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const problemSchema = v.pipe(
  v.strictObject({
    code: v.picklist(problemCodes),
    message: v.string(),
    retryable: v.boolean(),
    retry_after_ms: v.optional(count),
    details: v.optional(v.record(v.string(), v.unknown())),
  }),
  v.metadata({ ref: 'Problem' }),
);

export const healthSchema = v.pipe(v.strictObject({ status: v.literal('ok'), version: v.string(), uptime_ms: count }), v.metadata({ ref: 'Health' }));

export const readySchema = v.pipe(v.strictObject({ status: v.literal('ready'), reasons: v.array(v.string()) }), v.metadata({ ref: 'Ready' }));

/** A Problem that says in one more field what is missing. */
export const notReadySchema = v.pipe(
  v.strictObject({
    status: v.literal('not_ready'),
    reasons: v.array(v.string()),
    code: v.literal('POOL_UNAVAILABLE'),
    message: v.string(),
    retryable: v.literal(true),
    retry_after_ms: count,
  }),
  v.metadata({ ref: 'NotReady' }),
);

export const transitionSchema = v.pipe(
  v.strictObject({
    seq: count,
    at: v.pipe(v.string(), v.isoTimestamp()),
    pool_id: v.nullable(v.string()),
    actor: v.string(),
    event: v.string(),
    from: v.string(),
    to: v.string(),
    reason: v.nullable(v.strictObject({ code: v.picklist(reasonCodes), message: v.string() })),
    incarnation: v.nullable(v.string()),
    outcome: v.nullable(v.string()),
  }),
  v.metadata({ ref: 'Transition' }),
);

export const eventsSchema = v.pipe(v.strictObject({ pool_id: v.string(), events: v.array(transitionSchema) }), v.metadata({ ref: 'Events' }));

export const logLineSchema = v.pipe(v.strictObject({ offset: count, text: v.string() }), v.metadata({ ref: 'LogLine' }));

export const logsSchema = v.pipe(
  v.strictObject({ pool_id: v.string(), run: v.picklist(['current', 'previous']), lines: v.array(logLineSchema) }),
  v.metadata({ ref: 'Logs' }),
);

/** As orchestratord worded it. */
export const orchestratorAnswerSchema = v.pipe(v.record(v.string(), v.unknown()), v.metadata({ ref: 'OrchestratorAnswer' }));
