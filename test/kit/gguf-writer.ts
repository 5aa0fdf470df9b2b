/**
 * Small GGUF files of chosen shapes, with zeros for weights: enough for llama-server to load them and say how large its buffers are,
 * and for a reader of headers to be tried on. Source of the format: ggml/docs/gguf.md.
 */
import { writeFile } from 'node:fs/promises';

export type Value =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly u32s: readonly number[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] }
  | { readonly bools: readonly boolean[] };

export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Default f32. */
  readonly type?: 'f32' | 'f16' | 'q8_0';
}

export interface GgufFile {
  readonly values: Readonly<Record<string, Value>>;
  readonly tensors: readonly Tensor[];
}

const alignment = 32;

export const writeGguf = (path: string, { values, tensors }: GgufFile): Promise<void> => {
  const entries = Object.entries(values);
  const sizes = tensors.map((tensor) => aligned(bytesOf(tensor)));
  const offsets = sizes.map((_, index) => sizes.slice(0, index).reduce((sum, size) => sum + size, 0));
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(entries.length),
    ...entries.flatMap(([key, value]) => [text(key), ...encoded(value)]),
    ...tensors.flatMap(({ name, shape, type = 'f32' }, index) => [
      text(name),
      u32(shape.length),
      ...shape.map(u64),
      u32(types[type].id),
      u64(offsets[index] ?? 0),
    ]),
  ]);
  const data = Buffer.alloc(sizes.reduce((sum, size) => sum + size, 0));
  return writeFile(path, Buffer.concat([header, Buffer.alloc(aligned(header.length) - header.length), data]));
};

const types = { f32: { id: 0, block: 1, bytes: 4 }, f16: { id: 1, block: 1, bytes: 2 }, q8_0: { id: 8, block: 32, bytes: 34 } } as const;

const bytesOf = ({ shape, type = 'f32' }: Tensor): number =>
  (shape.reduce((product, size) => product * size, 1) / types[type].block) * types[type].bytes;

const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

const encoded = (value: Value): readonly Buffer[] => {
  if ('u32' in value) return [u32(4), u32(value.u32)];
  if ('f32' in value) return [u32(6), f32(value.f32)];
  if ('bool' in value) return [u32(7), Buffer.from([value.bool ? 1 : 0])];
  if ('text' in value) return [u32(8), text(value.text)];
  if ('texts' in value) return [u32(9), u32(8), u64(value.texts.length), ...value.texts.map(text)];
  if ('u32s' in value) return [u32(9), u32(4), u64(value.u32s.length), ...value.u32s.map(u32)];
  if ('i32s' in value) return [u32(9), u32(5), u64(value.i32s.length), ...value.i32s.map(u32)];
  if ('f32s' in value) return [u32(9), u32(6), u64(value.f32s.length), ...value.f32s.map(f32)];
  return [u32(9), u32(7), u64(value.bools.length), Buffer.from(value.bools.map(Number))];
};

const u32 = (value: number): Buffer => sized(4, (buffer) => buffer.writeUInt32LE(value >>> 0));
const u64 = (value: number): Buffer => sized(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)));
const f32 = (value: number): Buffer => sized(4, (buffer) => buffer.writeFloatLE(value));
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

const sized = (bytes: number, write: (buffer: Buffer) => number): Buffer => {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
};
