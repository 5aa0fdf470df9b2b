/**
 * Reads the header of a GGUF file: its metadata and how large its tensors are. No tensor is read, and no word of the vocabulary is
 * kept: of long lists only their length is.
 *
 * Source: ggml/docs/gguf.md. Sizes come from the tensors' offsets, so that a kind of quantisation nobody knew needs no row here.
 * Rejects with an Error that says what was expected and found. Why it is our own: docs/decisions/0008-gguf-header.md.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { type ByteReader, byteReader } from './byte-reader.ts';

export type GgufValue = number | bigint | boolean | string | readonly (number | bigint | boolean)[];

export interface GgufHeader {
  readonly values: ReadonlyMap<string, GgufValue>;
  /** Length of each list, kept or not. */
  readonly lengths: ReadonlyMap<string, number>;
  readonly tensors: readonly GgufTensor[];
}

export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** Whatever it is, it is something else. */
export class NotGguf extends Error {
  override readonly name = 'NotGguf';
}

const magic = 0x46554747;
const mostEntries = 65_536;
const mostTensors = 1_000_000;
const longestName = 65_535;
const longestText = 1_024;
const longestList = 4_096;
const mostDimensions = 8;

export const readGgufHeader = async (path: string): Promise<GgufHeader> => {
  const file = await open(path, 'r');
  try {
    return await readHeader(byteReader(file), file);
  } finally {
    await file.close();
  }
};

const readHeader = async (reader: ByteReader, file: FileHandle): Promise<GgufHeader> => {
  if ((await reader.u32()) !== magic) throw new NotGguf('expected a GGUF file, found another beginning');
  const version = await reader.u32();
  if (version !== 2 && version !== 3) throw new Error(`expected GGUF version 2 or 3, found ${version}`);
  const tensorCount = await count(reader, mostTensors, 'tensors');
  const entryCount = await count(reader, mostEntries, 'entries');
  const values = new Map<string, GgufValue>();
  const lengths = new Map<string, number>();
  for (let index = 0; index < entryCount; index += 1) await readEntry(reader, values, lengths);
  const placed = [];
  for (let index = 0; index < tensorCount; index += 1) placed.push(await readTensor(reader));
  const alignment = values.get('general.alignment') ?? 32;
  const begin = aligned(reader.position(), typeof alignment === 'number' && alignment > 0 ? alignment : 32);
  return { values, lengths, tensors: sized(placed, (await file.stat()).size - begin) };
};

const count = async (reader: ByteReader, most: number, what: string): Promise<number> => {
  const found = await reader.u64();
  if (found > most) throw new Error(`expected at most ${most} ${what}, found ${found}`);
  return Number(found);
};

/** Types by their numbers in the format. */
const text = 8;
const list = 9;
const scalars: Readonly<Record<number, (reader: ByteReader) => Promise<number | bigint | boolean>>> = {
  0: (reader) => reader.u8(),
  1: async (reader) => ((await reader.u8()) << 24) >> 24,
  2: (reader) => reader.u16(),
  3: async (reader) => ((await reader.u16()) << 16) >> 16,
  4: (reader) => reader.u32(),
  5: async (reader) => (await reader.u32()) | 0,
  6: (reader) => reader.f32(),
  7: async (reader) => (await reader.u8()) !== 0,
  10: (reader) => reader.u64(),
  11: async (reader) => BigInt.asIntN(64, await reader.u64()),
  12: (reader) => reader.f64(),
};
const scalarBytes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };

const readEntry = async (reader: ByteReader, values: Map<string, GgufValue>, lengths: Map<string, number>): Promise<void> => {
  const key = await reader.text(await count(reader, longestName, 'bytes of a key'));
  const type = await reader.u32();
  if (type === list) return readList(reader, key, values, lengths);
  if (type !== text) {
    values.set(key, await scalar(type)(reader));
    return;
  }
  const length = await count(reader, Number.MAX_SAFE_INTEGER, 'bytes of a text');
  if (length <= longestText) values.set(key, await reader.text(length));
  else await reader.skip(length);
};

const readList = async (reader: ByteReader, key: string, values: Map<string, GgufValue>, lengths: Map<string, number>): Promise<void> => {
  const type = await reader.u32();
  const length = await count(reader, Number.MAX_SAFE_INTEGER, 'elements of a list');
  lengths.set(key, length);
  if (type === text) return reader.skipTexts(length);
  const read = scalar(type);
  if (length > longestList) return reader.skip(length * (scalarBytes[type] ?? 0));
  const elements: (number | bigint | boolean)[] = [];
  for (let index = 0; index < length; index += 1) elements.push(await read(reader));
  values.set(key, elements);
};

const scalar = (type: number): ((reader: ByteReader) => Promise<number | bigint | boolean>) => {
  const read = scalars[type];
  if (read === undefined) throw new Error(`expected a type of value that GGUF has, found ${type}`);
  return read;
};

type Placed = Omit<GgufTensor, 'bytes'> & { readonly offset: number };

const readTensor = async (reader: ByteReader): Promise<Placed> => {
  const name = await reader.text(await count(reader, longestName, 'bytes of a name'));
  const dimensions = await reader.u32();
  if (dimensions > mostDimensions) throw new Error(`expected at most ${mostDimensions} dimensions, found ${dimensions}`);
  const shape: number[] = [];
  for (let index = 0; index < dimensions; index += 1) shape.push(await count(reader, Number.MAX_SAFE_INTEGER, 'elements of a dimension'));
  await reader.u32();
  return { name, shape, offset: await count(reader, Number.MAX_SAFE_INTEGER, 'bytes before a tensor') };
};

/** Each reaches to the next, the last one to the end: what aligns them counts with them. */
const sized = (placed: readonly Placed[], dataBytes: number): readonly GgufTensor[] => {
  const byOffset = placed.toSorted((a, b) => a.offset - b.offset);
  return byOffset.map(({ name, shape, offset }, index) => {
    const bytes = (byOffset[index + 1]?.offset ?? dataBytes) - offset;
    if (bytes < 0) throw new Error(`expected tensor ${name} within the file, found it to begin ${-bytes} bytes behind its end`);
    return { name, shape, bytes };
  });
};

const aligned = (position: number, alignment: number): number => Math.ceil(position / alignment) * alignment;
