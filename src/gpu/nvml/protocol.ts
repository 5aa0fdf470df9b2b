/**
 * What the daemon and the process that asks the driver through NVML tell each other: one JSON object a line, on its standard input
 * and output. Both sides judge what they read by these schemas.
 */
import * as v from 'valibot';

/** A million characters: some hundred cards with all their processes. */
export const longestLine = 1_000_000;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const bytes = count;
const code = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const text = v.pipe(v.string(), v.maxLength(400));

/** The one question: everything about all cards; `deep`: also what changes slowly. */
export const questionSchema = v.strictObject({ id: count, deep: v.boolean() });
export type Question = v.InferOutput<typeof questionSchema>;

const memory = v.nullable(v.strictObject({ totalBytes: bytes, usedBytes: bytes, freeBytes: bytes }));
const running = v.strictObject({ pid: count, usedBytes: v.nullable(bytes), gpuInstanceId: v.nullable(count) });

const deep = v.strictObject({
  persistenceMode: v.nullable(v.boolean()),
  powerLimitWatts: v.nullable(v.number()),
  graphicsClockMhz: v.nullable(count),
  memoryClockMhz: v.nullable(count),
  ecc: v.strictObject({
    enabled: v.nullable(v.boolean()),
    corrected: v.nullable(count),
    uncorrected: v.nullable(count),
    uncorrectedEver: v.nullable(count),
  }),
  remappedRows: v.strictObject({
    corrected: v.nullable(count),
    uncorrected: v.nullable(count),
    pending: v.nullable(v.boolean()),
    failed: v.nullable(v.boolean()),
  }),
  retiredPages: v.strictObject({ count: v.nullable(count), pending: v.nullable(v.boolean()) }),
});

const slice = v.strictObject({
  uuid: v.pipe(text, v.regex(/^MIG-[0-9A-Za-z/-]+$/)),
  name: v.nullable(text),
  gpuInstanceId: count,
  computeInstanceId: count,
  memory,
});

const card = v.strictObject({
  index: count,
  uuid: v.pipe(text, v.regex(/^GPU-[0-9a-f-]+$/i)),
  pciAddress: v.nullable(text),
  name: v.nullable(text),
  memory,
  computeCapability: v.nullable(text),
  temperatureC: v.nullable(v.number()),
  powerWatts: v.nullable(v.number()),
  utilisationPercent: v.nullable(v.number()),
  /** As NVML numbers it. */
  recovery: v.nullable(count),
  /** The worst of what was said in place of values: GPU_IS_LOST, RESET_REQUIRED, UNKNOWN. */
  worst: v.nullable(code),
  processes: v.array(running),
  /** Null: not in MIG mode. */
  mig: v.nullable(v.array(slice)),
  deep: v.nullable(deep),
});
export type WireCard = v.InferOutput<typeof card>;

const facts = v.strictObject({
  driverVersion: v.nullable(text),
  /** 1000 × major + 10 × minor */
  cudaVersion: v.nullable(count),
  cards: v.array(card),
  /** Cards that are there and do not tell which they are. */
  unread: v.array(v.strictObject({ index: count, call: text, code })),
});
export type WireFacts = v.InferOutput<typeof facts>;

const xid = v.strictObject({ code: count, pciAddress: text, gpuInstanceId: v.nullable(count) });
export type WireXid = v.InferOutput<typeof xid>;

export const sayingSchema = v.variant('kind', [
  /** First of all, once. `unavailable`: there is no library to ask, and it ends. */
  v.strictObject({ kind: v.literal('ready') }),
  v.strictObject({ kind: v.literal('unavailable'), why: text }),
  v.strictObject({ kind: v.literal('facts'), id: count, facts }),
  /** The question as a whole could not be answered. */
  v.strictObject({ kind: v.literal('failed'), id: count, call: text, code }),
  v.strictObject({ kind: v.literal('xid'), xid }),
]);
export type Saying = v.InferOutput<typeof sayingSchema>;

/** Null: not of this protocol. */
export const readSaying = (line: string): Saying | null => read(sayingSchema, line);
export const readQuestion = (line: string): Question | null => read(questionSchema, line);

const read = <T>(schema: v.GenericSchema<unknown, T>, line: string): T | null => {
  try {
    const found = v.safeParse(schema, JSON.parse(line));
    return found.success ? found.output : null;
  } catch {
    return null;
  }
};
