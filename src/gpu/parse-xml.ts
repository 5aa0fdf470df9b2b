/**
 * `nvidia-smi -q -x` → what the CSV queries do not say: MIG slices with their memory, and every process on a card, graphics
 * ones included.
 *
 * Pure. Reads the elements that v11 to v13 of NVIDIA's DTD have in common; everything else in the document is ignored.
 */
import { parseXml, type XmlElement } from '@rgrove/parse-xml';
import * as v from 'valibot';
import type { GpuProcess } from '../machines/vocabulary.ts';
import { type Deep, parseDeep } from './parse-deep.ts';
import { known, mebibytes, whole } from './parse-values.ts';
import { at, children, textAt } from './xml-elements.ts';

export interface DetailedSlice {
  readonly device: number;
  readonly gpuInstanceId: number;
  readonly computeInstanceId: number;
  readonly memoryTotalBytes: number | null;
  readonly memoryUsedBytes: number | null;
  readonly memoryFreeBytes: number | null;
}

export interface DetailedGpu {
  readonly uuid: string;
  readonly pciAddress: string | null;
  readonly name: string | null;
  readonly memoryTotalBytes: number | null;
  readonly memoryUsedBytes: number | null;
  readonly memoryFreeBytes: number | null;
  readonly recoveryAction: string | null;
  readonly migEnabled: boolean;
  readonly slices: readonly DetailedSlice[];
  readonly processes: readonly GpuProcess[];
  readonly deep: Deep;
}

export interface Detail {
  readonly driverVersion: string | null;
  readonly cudaVersion: string | null;
  readonly gpus: readonly DetailedGpu[];
}

const ids = v.object({ device: v.number(), gpuInstanceId: v.number(), computeInstanceId: v.number() });
const memory = { total: 'memoryTotalBytes', used: 'memoryUsedBytes', free: 'memoryFreeBytes' } as const;

/** A document that is not well-formed, or not nvidia-smi's, comes back as one sentence. */
export const parseDetail = (xml: string): Detail | { readonly mistake: string } => {
  const log = rootOf(xml);
  if (typeof log === 'string') return { mistake: log };
  return {
    driverVersion: known(textAt(log, 'driver_version')),
    cudaVersion: known(textAt(log, 'cuda_version')),
    gpus: children(log, 'gpu').flatMap(toGpu),
  };
};

const rootOf = (xml: string): XmlElement | string => {
  try {
    const { root } = parseXml(xml);
    return root?.name === 'nvidia_smi_log' ? root : `expected the element nvidia_smi_log, found ${root?.name ?? 'nothing'}`;
  } catch (thrown) {
    return thrown instanceof Error ? (thrown.message.split('\n')[0] ?? 'not XML') : String(thrown);
  }
};

const toGpu = (gpu: XmlElement): DetailedGpu[] => {
  const uuid = known(textAt(gpu, 'uuid'));
  if (uuid === null) return [];
  return [
    {
      uuid,
      pciAddress: known(gpu.attributes['id']),
      name: known(textAt(gpu, 'product_name')),
      ...memoryOf(gpu),
      recoveryAction: known(textAt(gpu, 'gpu_recovery_action')),
      migEnabled: known(textAt(gpu, 'mig_mode', 'current_mig')) === 'Enabled',
      slices: at(gpu, 'mig_devices', 'mig_device').flatMap(toSlice),
      processes: at(gpu, 'processes', 'process_info').flatMap(toProcess),
      deep: parseDeep(gpu),
    },
  ];
};

const toSlice = (slice: XmlElement): DetailedSlice[] => {
  const found = v.safeParse(ids, {
    device: whole(textAt(slice, 'index')),
    gpuInstanceId: whole(textAt(slice, 'gpu_instance_id')),
    computeInstanceId: whole(textAt(slice, 'compute_instance_id')),
  });
  return found.success ? [{ ...found.output, ...memoryOf(slice) }] : [];
};

const toProcess = (process: XmlElement): GpuProcess[] => {
  const pid = whole(textAt(process, 'pid'));
  if (pid === null) return [];
  const gpuInstanceId = whole(textAt(process, 'gpu_instance_id'));
  return [{ pid, usedBytes: mebibytes(textAt(process, 'used_memory')), ...(gpuInstanceId === null ? {} : { gpuInstanceId }) }];
};

const memoryOf = (element: XmlElement) => ({
  [memory.total]: mebibytes(textAt(element, 'fb_memory_usage', 'total')),
  [memory.used]: mebibytes(textAt(element, 'fb_memory_usage', 'used')),
  [memory.free]: mebibytes(textAt(element, 'fb_memory_usage', 'free')),
});
