/**
 * Output of `nvidia-smi --query-gpu` and `--query-compute-apps` (`--format=csv,noheader,nounits`) → facts.
 *
 * Pure. nvidia-smi quotes nothing and mixes remarks about lost cards and InfoROMs into its standard output; rows of sound
 * cards beside them count. A line that is neither row nor remark is a mistake, never silently skipped.
 */
import * as v from 'valibot';
import type { GpuFact, GpuProcess } from '../machines/vocabulary.ts';
import { known, mebibytes, quantity, whole } from './parse-values.ts';

/** Fields in the order asked; `index` and `uuid` are the ones without which there is no card. */
export const gpuFields = [
  'index',
  'uuid',
  'pci.bus_id',
  'name',
  'memory.total',
  'memory.used',
  'memory.free',
  'compute_cap',
  'driver_version',
  'temperature.gpu',
  'power.draw',
  'utilization.gpu',
  'gpu_recovery_action',
  'mig.mode.current',
] as const;

export type GpuField = (typeof gpuFields)[number];

export interface Card {
  readonly fact: GpuFact;
  readonly driverVersion: string | null;
  readonly migEnabled: boolean;
}

export interface Parsed<Row> {
  readonly rows: readonly Row[];
  /** What the tool said about cards it could not list. */
  readonly remarks: readonly string[];
  /** Lines that could not be understood; empty when all is well. */
  readonly strange: readonly string[];
}

export interface ComputeApp {
  readonly gpuUuid: string;
  readonly process: GpuProcess;
}

const identity = v.object({ index: v.number(), uuid: v.pipe(v.string(), v.regex(/^GPU-[0-9a-f-]+$/i)) });

export const parseGpus = (output: string, fields: readonly GpuField[]): Parsed<Card> => parseLines(output, (line) => toCard(line, fields));

export const parseComputeApps = (output: string): Parsed<ComputeApp> => parseLines(output, toApp);

/** The field that an older driver refuses: `Field "compute_cap" is not a valid field to query.` */
export const refusedField = (output: string): GpuField | null => {
  const name = /Field "([^"]+)" is not a valid field to query/.exec(output)?.[1];
  return gpuFields.find((field) => field === name) ?? null;
};

const toCard = (line: string, fields: readonly GpuField[]): Card | null => {
  const cells = line.split(',');
  if (cells.length !== fields.length) return null;
  const cell = (field: GpuField): string | undefined => cells[fields.indexOf(field)];
  const who = v.safeParse(identity, { index: whole(cell('index')), uuid: known(cell('uuid')) });
  if (!who.success) return null;
  return {
    driverVersion: known(cell('driver_version')),
    migEnabled: known(cell('mig.mode.current')) === 'Enabled',
    fact: {
      ...who.output,
      pciAddress: known(cell('pci.bus_id')),
      name: known(cell('name')) ?? 'unnamed NVIDIA GPU',
      memoryTotalBytes: mebibytes(cell('memory.total')),
      memoryUsedBytes: mebibytes(cell('memory.used')),
      memoryFreeBytes: mebibytes(cell('memory.free')),
      computeCapability: known(cell('compute_cap')),
      temperatureC: quantity(cell('temperature.gpu')),
      powerWatts: quantity(cell('power.draw')),
      utilisationPercent: quantity(cell('utilization.gpu')),
      recoveryAction: known(cell('gpu_recovery_action')),
      processes: [],
      mig: null,
      ...readsOf(cells, [cell('memory.total'), cell('memory.used')]),
    },
  };
};

/** `[GPU is lost]`, `[GPU requires reset]`, `[Unknown Error]` in place of values. */
const readsOf = (cells: readonly string[], memory: readonly (string | undefined)[]): Pick<GpuFact, 'reads'> => {
  if (cells.some((cell) => /\[GPU is lost\]/i.test(cell))) return { reads: 'lost' };
  if (cells.some((cell) => /\[GPU requires reset\]/i.test(cell))) return { reads: 'reset' };
  return memory.some((cell) => cell !== undefined && /\[Unknown Error\]/i.test(cell)) ? { reads: 'unknown' } : {};
};

const toApp = (line: string): ComputeApp | null => {
  const [gpu, pidText, used, ...more] = line.split(',');
  const gpuUuid = known(gpu);
  const pid = whole(pidText);
  if (gpuUuid === null || pid === null || more.length > 0) return null;
  return { gpuUuid, process: { pid, usedBytes: mebibytes(used) } };
};

const remark =
  /^(WARNING|Unable to determine|Unable to retrieve|Failed to|No devices were found|No running processes|GPU [0-9a-f:.]+ .*(lost|reset))/i;

const parseLines = <Row>(output: string, parse: (line: string) => Row | null): Parsed<Row> => {
  const rows: Row[] = [];
  const remarks: string[] = [];
  const strange: string[] = [];
  for (const line of output.split('\n').map((text) => text.trim())) {
    if (line === '') continue;
    const row = parse(line);
    if (row !== null) rows.push(row);
    else if (remark.test(line)) remarks.push(line);
    else strange.push(line);
  }
  return { rows, remarks, strange };
};
