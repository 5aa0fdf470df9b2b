/**
 * One handoff file, read as the union of its writers' spellings. Pure: what a file means, not what is done about it.
 *
 * Only known keys are copied out, so that nothing else a writer puts there, `__proto__` included, goes any further.
 */
import * as v from 'valibot';
import { type EndpointRules, judgeEndpoint } from '../../engines/endpoint.ts';
import { isSecondBerth, publicIdOf } from '../../machines/policies/berths.ts';
import type { Handoff } from '../../machines/vocabulary.ts';

export type Parsed =
  | { readonly kind: 'handoff'; readonly handoff: Handoff }
  /** A model provisioner's note in the same folder: no business of ours. */
  | { readonly kind: 'note' }
  /** Not JSON, perhaps not yet. */
  | { readonly kind: 'torn'; readonly message: string }
  | { readonly kind: 'invalid'; readonly message: string };

const whole = (least: number, most: number) =>
  v.pipe(
    v.number(),
    v.check(
      (value) => Number.isSafeInteger(value) && value >= least && value <= most && !Object.is(value, -0),
      (issue) => `Expected an integer from ${least} to ${most} but received ${issue.received}`,
    ),
  );
const text = (most: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(most));
const id = v.pipe(v.string(), v.regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'Expected lower-case letters, digits and inner dashes, at most 63'));
const slots = whole(1, 1024);

const schema = v.object({
  pool_id: v.optional(
    v.pipe(
      id,
      v.check((text) => !isSecondBerth(text), 'Expected a pool id that does not end in --b, which names the second engine of a pool'),
    ),
    'default',
  ),
  /** Ours alone: which of a pool's two engines it is. */
  berth: v.optional(id),
  replica_id: v.optional(id, 'r0'),
  engine: v.nullish(text(64)),
  engine_version: v.nullish(text(128)),
  endpoint: v.nullish(text(2048)),
  url: v.nullish(text(2048)),
  http_endpoint: v.nullish(text(2048)),
  gpu_device: v.nullish(whole(0, 63)),
  device_mask: v.nullish(v.pipe(v.string(), v.regex(/^(\d{1,2}(,\d{1,2})*)?$/, 'Expected indices like 0,1'))),
  slots: v.nullish(slots),
  slots_total: v.nullish(slots),
  ready: v.optional(v.boolean(), true),
  model: v.nullish(v.union([text(4096), v.object({ id: v.nullish(text(4096)), path: v.nullish(text(4096)) })])),
  pid: v.nullish(whole(1, 4_194_304)),
  pid_start_time: v.nullish(whole(0, Number.MAX_SAFE_INTEGER)),
  incarnation: v.nullish(text(128)),
});

type Fields = v.InferOutput<typeof schema>;

/** `file`: its name in the runtime directory, by which it is settled. */
export const parseHandoff = (file: string, content: string, rules: EndpointRules): Parsed => {
  const json = parseJson(content);
  if (json.problem !== null) return { kind: 'torn', message: `expected JSON, found ${json.problem}` };
  if (isNote(json.value)) return { kind: 'note' };
  const fields = v.safeParse(schema, json.value);
  if (!fields.success)
    return { kind: 'invalid', message: fields.issues.map((issue) => `${v.getDotPath(issue) ?? 'file'}: ${issue.message}`).join('; ') };
  const written = fields.output.endpoint ?? fields.output.url ?? fields.output.http_endpoint ?? null;
  if (written === null) return { kind: 'invalid', message: 'expected an endpoint (or url, http_endpoint), found none' };
  const { endpoint, problem } = judgeEndpoint(written, rules);
  return endpoint === null ? { kind: 'invalid', message: problem } : { kind: 'handoff', handoff: handoffOf(file, fields.output, endpoint) };
};

const parseJson = (content: string): { readonly value: unknown; readonly problem: null } | { readonly problem: string } => {
  try {
    return { value: JSON.parse(content), problem: null };
  } catch (thrown) {
    return { problem: thrown instanceof Error ? thrown.message : String(thrown) };
  }
};

const isNote = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  'model' in value &&
  'metadata' in value &&
  !['endpoint', 'url', 'http_endpoint'].some((key) => Object.hasOwn(value, key));

const handoffOf = (file: string, fields: Fields, endpoint: string): Handoff => ({
  file,
  poolId: fields.berth !== undefined && publicIdOf(fields.berth) === fields.pool_id ? fields.berth : fields.pool_id,
  replicaId: fields.replica_id,
  engine: fields.engine ?? null,
  engineVersion: fields.engine_version ?? null,
  endpoint,
  devices: devicesOf(fields),
  slotsTotal: fields.slots_total ?? fields.slots ?? null,
  ready: fields.ready,
  modelId: modelIdOf(fields.model),
  pid: fields.pid ?? null,
  pidStartTime: fields.pid_start_time ?? null,
  incarnation: fields.incarnation ?? null,
});

const devicesOf = ({ device_mask: mask, gpu_device: device }: Fields): readonly number[] => {
  if (mask !== null && mask !== undefined && mask !== '') return mask.split(',').map(Number);
  return device === null || device === undefined ? [] : [device];
};

const modelIdOf = (model: Fields['model']): string | null => (typeof model === 'string' ? model : (model?.id ?? model?.path ?? null));
