/** What orchestratord requires of its nodes' messages, as it words its refusals. Schemas only; used by its stand-in. */
import * as v from 'valibot';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const registerRequest = v.looseObject({
  node_id: v.string(),
  machine_id: v.string(),
  address: v.string(),
  pools: v.array(v.string()),
  capabilities: v.looseObject({
    gpus: v.array(v.looseObject({ device_id: count, name: v.string(), vram_total_bytes: count, compute_capability: v.string() })),
    cpu_cores: v.nullish(count),
    ram_total_bytes: v.nullish(count),
  }),
  version: v.nullish(v.string()),
});

export const heartbeatRequest = v.looseObject({
  timestamp: v.pipe(v.string(), v.isoTimestamp()),
  pools: v.array(
    v.looseObject({
      pool_id: v.string(),
      ready: v.boolean(),
      draining: v.boolean(),
      slots_free: count,
      slots_total: count,
      vram_free_bytes: count,
      engine: v.nullish(v.string()),
    }),
  ),
});

export type RegisterRequest = v.InferOutput<typeof registerRequest>;
export type HeartbeatRequest = v.InferOutput<typeof heartbeatRequest>;
export type ReportedPool = HeartbeatRequest['pools'][number];

/** Plain text, as its web framework answers 422. */
export const refusalText = (issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): string => {
  const [issue] = issues;
  const at = v.getDotPath(issue);
  const problem = issue.received === 'undefined' ? `missing field \`${at?.split('.').at(-1) ?? '?'}\`` : issue.message;
  return `Failed to deserialize the JSON body into the target type: ${at === null ? '' : `${at}: `}${problem}`;
};
