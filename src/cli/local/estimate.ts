/**
 * `estimate MODEL`: how much VRAM a pool with this model would need, in parts, from the model's header. Asks no daemon and no GPU.
 *
 * Ends with 1 when the header cannot be read.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { NeedSpec } from '../../gpu/estimate/asked.ts';
import { type Estimate, estimate } from '../../gpu/estimate/estimate.ts';
import { cacheTypeBytes, knownCacheTypes } from '../../gpu/estimate/kv-cache.ts';
import { readShape } from '../../gpu/estimate/read-shape.ts';
import type { EngineName, ModelShape } from '../../machines/vocabulary.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { printable, table } from '../table.ts';
import { bytes } from '../words.ts';

export interface EstimateOptions {
  readonly slots: number;
  /** Tokens per slot; null: the model's own context, once for all slots. */
  readonly ctx: number | null;
  readonly devices: number;
  readonly cacheType: string | null;
  /** Null: llamacpp for a file, vllm for a folder. */
  readonly engine: string | null;
  readonly json: boolean;
}

export const estimateModel = async ({ stdout }: CliContext, model: string, options: EstimateOptions): Promise<void> => {
  const path = resolve(model);
  const shape = await shapeOf(path);
  const spec = specOf(await engineOf(path, options.engine), options);
  const found = estimate(spec, { id: model, path, bytes: shape.tensorBytes, shape });
  if (found === null) throw new CliError(`${path}: expected a model whose size is known, found none`, exitCodes.failed);
  const lines = options.json ? [JSON.stringify(answer(path, spec, shape, found))] : told(spec, shape, found);
  for (const line of lines) stdout.write(`${printable(line)}\n`);
};

const shapeOf = async (path: string): Promise<ModelShape> => {
  try {
    return await readShape(path);
  } catch (thrown) {
    throw new CliError(`${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, exitCodes.failed);
  }
};

const engines = ['llamacpp', 'vllm', 'sglang', 'tgi'] as const satisfies readonly EngineName[];

const engineOf = async (path: string, given: string | null): Promise<EngineName> => {
  if (given === null) return (await stat(path)).isDirectory() ? 'vllm' : 'llamacpp';
  const engine = engines.find((name) => name === given);
  if (engine === undefined) throw new CliError(`--engine: expected ${engines.join(', ')}, found "${given}"`, exitCodes.usage);
  return engine;
};

const specOf = (engine: EngineName, { slots, ctx, devices, cacheType }: EstimateOptions): NeedSpec => {
  if (slots < 1 || devices < 1) throw new CliError('--slots and --devices: expected at least 1, found 0', exitCodes.usage);
  if (cacheType !== null && cacheTypeBytes(cacheType) === null) {
    throw new CliError(`--cache-type: expected one of ${knownCacheTypes.join(', ')}, found "${cacheType}"`, exitCodes.usage);
  }
  const names = engine === 'llamacpp' ? ['-ctk', '-ctv'] : ['--kv-cache-dtype'];
  const flags = cacheType === null ? [] : names.flatMap((name) => [name, cacheType]);
  return { engine, slots, ctx, devices: Array.from({ length: devices }, (_, index) => index), flags };
};

const told = ({ engine, devices }: NeedSpec, { architecture, hostBytes }: ModelShape, found: Estimate): readonly string[] => {
  const rows: readonly (readonly [string, number | null, string])[] = [
    ['weights', found.weightsBytes, engine === 'llamacpp' && hostBytes > 0 ? `${bytes(hostBytes)} of embeddings stay on the host` : ''],
    ['KV cache', found.kvCacheBytes, found.tokens === null ? '' : `${found.tokens} tokens in all slots`],
    ['compute buffers', found.computeBytes, 'a rule of thumb'],
    ['overhead', found.overheadBytes, 'a rule of thumb: CUDA context, libraries, graphs'],
    ['in all', found.totalBytes, devices.length === 1 ? '' : `${bytes(found.totalBytes / devices.length)} on each of ${devices.length} GPUs`],
  ];
  const columns = [
    { head: 'PART', cell: (row: (typeof rows)[number]) => row[0] },
    { head: 'VRAM', cell: (row: (typeof rows)[number]) => bytes(row[1]) },
    { head: 'NOTE', cell: (row: (typeof rows)[number]) => row[2] },
  ];
  return [`${architecture ?? 'a model'} with ${engine}`, ...table(rows, columns, false), ...found.notes.map((note) => `note: ${note}`)];
};

const answer = (path: string, spec: NeedSpec, shape: ModelShape, found: Estimate): unknown => ({
  model: path,
  engine: spec.engine,
  architecture: shape.architecture,
  slots: spec.slots,
  ctx: spec.ctx,
  devices: spec.devices.length,
  tokens: found.tokens,
  weights_bytes: found.weightsBytes,
  kv_cache_bytes: found.kvCacheBytes,
  compute_bytes: found.computeBytes,
  overhead_bytes: found.overheadBytes,
  total_bytes: found.totalBytes,
  notes: found.notes,
});
