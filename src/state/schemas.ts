/**
 * What a file of the state directory may hold, in valibot. Structure only: whether a recorded process is ours is proved later.
 *
 * A schema that drifts from the type it stands for does not compile. Looser than the pools file on purpose: what was accepted
 * once must be readable for ever.
 */
import * as v from 'valibot';
import { reasonCodes } from '../machines/reasons.ts';
import type { Handoff, PoolSpec, RunRecord } from '../machines/vocabulary.ts';
import type { AttachedRecord, KeptMemory, LearnedRecord, OverrideRecord, TreeRecord } from './store.ts';

export const poolIdPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const poolId = v.pipe(v.string(), v.regex(poolIdPattern, 'expected a pool id'));
const text = v.pipe(v.string(), v.maxLength(65_536));
const name = v.pipe(text, v.minLength(1));
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const amount = v.pipe(v.number(), v.finite(), v.minValue(0));
const pid = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(4_194_304));
const port = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(65_535));
const list = <Item extends v.GenericSchema>(item: Item) => v.pipe(v.array(item), v.maxLength(65_536));
const version = v.literal(1);

type Plain<T> = T extends readonly (infer Item)[] ? readonly Plain<Item>[] : T extends object ? { readonly [Key in keyof T]: Plain<T[Key]> } : T;
type Same<Left, Right> = (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2 ? true : false;

/** Takes a schema whose output is exactly `T`. */
const exactly =
  <T>() =>
  <Schema extends v.GenericSchema<unknown>>(schema: Same<Plain<v.InferOutput<Schema>>, Plain<T>> extends true ? Schema : never) =>
    schema;

const engineName = v.picklist(['llamacpp', 'vllm', 'sglang', 'tgi', 'custom']);

const provisioning = v.variant('mode', [
  v.strictObject({ mode: v.literal('external'), executable: v.nullable(text) }),
  v.strictObject({
    mode: v.literal('binary'),
    binary: v.strictObject({ url: text, checksum: text, install_dir: v.nullable(text), executable: v.optional(v.nullable(text), null) }),
  }),
  v.strictObject({
    mode: v.literal('source'),
    source: v.strictObject({
      repo: v.nullable(text),
      ref: text,
      submodules: v.boolean(),
      build: v.strictObject({ cmake_flags: list(text), generator: v.nullable(text), cache_dir: v.nullable(text) }),
    }),
  }),
  v.strictObject({
    mode: v.literal('package'),
    package: v.strictObject({ name: v.nullable(text), version: text, lock: v.optional(v.nullable(text), null) }),
  }),
  v.strictObject({
    mode: v.literal('container'),
    container: v.strictObject({ image: text, digest: text, executable: v.optional(v.nullable(text), null) }),
  }),
]);

const customEngine = v.strictObject({
  health_path: text,
  progress_path: v.nullable(text),
  in_flight: v.nullable(v.strictObject({ path: text, metrics: list(text) })),
  token: v.nullable(v.strictObject({ path: text, body: text })),
});

export const poolSpecSchema = exactly<PoolSpec>()(
  v.strictObject({
    id: poolId,
    engine: engineName,
    model: v.nullable(text),
    devices: list(v.union([whole, name])),
    slots: whole,
    ctx: v.nullable(whole),
    host: name,
    api_key_file: v.nullable(text),
    quant: v.nullable(text),
    tensor_split: v.nullable(list(amount)),
    /** Records of daemons that did not know it have none. */
    cpu_affinity: v.optional(v.nullable(v.picklist(['gpu'])), null),
    preload: v.boolean(),
    env: v.record(name, text),
    flags: list(text),
    ports: v.nullable(list(port)),
    provisioning,
    model_source: v.nullable(v.strictObject({ ref: v.nullable(text), cache_dir: v.nullable(text), checksum: v.nullable(text) })),
    custom: v.nullable(customEngine),
    timeouts: v.strictObject({
      start_stall_ms: amount,
      start_max_ms: v.nullable(amount),
      drain_ms: amount,
      stop_ms: amount,
      vram_release_ms: amount,
    }),
    health: v.strictObject({ interval_ms: amount, timeout_ms: amount, progress_timeout_ms: amount, failures: whole, canary: v.boolean() }),
    restart: v.strictObject({ initial_ms: amount, max_ms: amount, window_ms: amount, max_restarts: whole, stable_ms: amount }),
  }),
);

export const runRecordSchema = exactly<RunRecord>()(
  v.strictObject({
    version,
    poolId,
    incarnation: name,
    launcher: v.picklist(['detached', 'systemd', 'container']),
    pid,
    startTime: whole,
    bootId: name,
    unit: v.nullable(name),
    invocationId: v.nullable(name),
    host: name,
    port,
    endpoint: v.pipe(text, v.url()),
    engine: engineName,
    engineVersion: v.nullable(text),
    model: v.strictObject({ id: text, path: v.nullable(text), bytes: v.nullable(amount) }),
    spec: poolSpecSchema,
    specHash: name,
    gpus: list(v.strictObject({ index: whole, uuid: name })),
    reservedBytes: v.nullable(amount),
    simulated: v.boolean(),
    logFile: name,
    exitFifo: v.nullable(name),
    startedAt: amount,
    startedMono: amount,
  }),
);

const restartMemory = v.strictObject({ count: whole, attempt: whole, startsMono: list(amount), opened: whole });

const proof = v.strictObject({
  residency: v.picklist(['proven', 'unproven', 'violated', 'simulated']),
  evidence: list(text),
  slotsTotal: v.nullable(whole),
  engineVersion: v.nullable(text),
  modelsAvailable: list(text),
  firstTokenMs: v.nullable(amount),
});

const drain = v.strictObject({
  why: v.picklist(['operator', 'remove', 'reload', 'health', 'withdrawn', 'crash', 'gpu', 'start_failed', 'shutdown']),
  deadlineMono: v.nullable(amount),
  bootId: v.nullable(name),
});

const retry = v.strictObject({
  delayMs: amount,
  at: amount,
  mono: amount,
  reason: v.strictObject({ code: v.picklist(reasonCodes), message: text, at: v.nullable(amount) }),
  specHash: name,
});

export const keptMemorySchema = exactly<KeptMemory>()(
  v.strictObject({
    version,
    poolId,
    bootId: name,
    wanted: v.picklist(['up', 'down']),
    restart: restartMemory,
    phase: v.nullable(v.picklist(['loading', 'proving', 'ready', 'emptying', 'stopping'])),
    proof: v.nullable(proof),
    drain: v.nullable(drain),
    retry: v.optional(v.nullable(retry), null),
  }),
);

const handoff = exactly<Handoff>()(
  v.strictObject({
    file: name,
    poolId,
    replicaId: name,
    engine: v.nullable(text),
    engineVersion: v.nullable(text),
    endpoint: v.pipe(text, v.url()),
    devices: list(whole),
    slotsTotal: v.nullable(whole),
    ready: v.boolean(),
    modelId: v.nullable(text),
    pid: v.nullable(pid),
    pidStartTime: v.nullable(whole),
    incarnation: v.nullable(text),
  }),
);

export const overrideRecordSchema = exactly<OverrideRecord>()(
  v.strictObject({ version, poolId, filedHash: v.nullable(name), spec: poolSpecSchema, former: v.nullable(poolSpecSchema) }),
);

export const attachedRecordSchema = exactly<AttachedRecord>()(v.strictObject({ version, poolId, bootId: name, handoff }));

export const learnedRecordSchema = exactly<LearnedRecord>()(v.strictObject({ version, poolId, specHash: name, vramBytes: whole, starts: whole }));

export const treeRecordSchema = exactly<TreeRecord>()(
  v.strictObject({ version, poolId, incarnation: name, descendants: list(v.strictObject({ pid, startTime: whole })) }),
);
