/**
 * Where llama-server put weights and KV cache, by its own output at `-lv 4`. Pure.
 *
 * `proven` needs all layers offloaded, and weights and KV cache named on a GPU. Nothing parsed is `unproven`: the wording of
 * these lines changes between versions (llama-model.cpp, llama-kv-cache.cpp).
 */
import type { Residency } from '../../machines/vocabulary.ts';

interface Finding {
  readonly line: string;
  readonly says: 'weightsOnGpu' | 'cacheOnGpu' | 'allLayers' | 'violation' | 'neutral';
}

const layers = /offloaded (\d+)\/(\d+) layers to GPU/;
const buffer = /(\S+)\s+(model|KV|RS|compute|output) buffer size\s*=\s*([\d.]+) MiB/;
const overflow = /\((\d+) overflowing\)/;
/** Token embeddings (`CPU_Mapped`) and staging buffers (`CUDA_Host`) are in host memory in every healthy run. */
const onHost = /^(CPU|BLAS|.*_Host$)/;

export const residency = (log: readonly string[]): { readonly verdict: Residency; readonly evidence: readonly string[] } => {
  const findings = log.map(read).filter((finding) => finding !== null);
  const evidence = findings.map((finding) => finding.line);
  const says = (what: Finding['says']): boolean => findings.some((finding) => finding.says === what);
  if (says('violation')) return { verdict: 'violated', evidence };
  return { verdict: says('allLayers') && says('weightsOnGpu') && says('cacheOnGpu') ? 'proven' : 'unproven', evidence };
};

const read = (raw: string): Finding | null => {
  const line = raw.trim().slice(0, 300);
  const offloaded = layers.exec(line);
  if (offloaded !== null) return { line, says: offloaded[1] === offloaded[2] && offloaded[2] !== '0' ? 'allLayers' : 'violation' };
  const fitted = overflow.exec(line);
  if (fitted !== null) return { line, says: fitted[1] === '0' ? 'neutral' : 'violation' };
  const sized = buffer.exec(line);
  return sized === null ? null : { line, says: judge(sized[1] ?? '', sized[2] ?? '', Number(sized[3])) };
};

const judge = (device: string, kind: string, mib: number): Finding['says'] => {
  const host = onHost.test(device);
  if (kind === 'model') return host ? 'neutral' : 'weightsOnGpu';
  if (kind !== 'KV' && kind !== 'RS') return 'neutral';
  if (!host) return 'cacheOnGpu';
  return mib > 0 ? 'violation' : 'neutral';
};
