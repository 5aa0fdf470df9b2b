/**
 * What NVML says → facts in the words that nvidia-smi has for them, so that nobody needs to know where they come from.
 *
 * Pure. A card that does not tell which it is, is the one that was known under its index and is not listed elsewhere now.
 */
import type { Cause, GpuDeep, GpuFact, MigSlice, Stamp } from '../../machines/vocabulary.ts';
import { nvmlCode } from '../nvml-codes.ts';
import type { WireCard, WireFacts } from './protocol.ts';

export interface Understood {
  readonly gpus: readonly GpuFact[];
  readonly remarks: readonly string[];
}

/** `before`: cards as they were last seen. `deepBefore`: by UUID. */
export const understand = (facts: WireFacts, now: Stamp, before: readonly GpuFact[]): Understood => {
  const listed = facts.cards.map((card) => toFact(card, now, before.find(({ uuid }) => uuid === card.uuid)?.deep ?? null));
  const silent = facts.unread.map((one) => ({ ...one, known: whoIs(one.index, listed, before) }));
  const shown = silent.flatMap(({ code, known }) => (known === undefined || isGone(code) ? [] : [{ ...blank(known), reads: readsOf(code) }]));
  return {
    gpus: [...listed, ...shown].sort((a, b) => a.index - b.index),
    remarks: silent.map(({ index, call, code, known }) => `GPU ${known?.pciAddress ?? `with index ${index}`}: ${inWords(call, code)}`),
  };
};

/** A sentence: which call answered what, and what that means. */
export const inWords = (call: string, code: number): string => {
  const row = nvmlCode(code);
  return `${call} answered ${code}${row === null ? ', which is no result known here' : ` (${row.name}): ${row.says}`}`;
};

/** Of a question that could not be answered at all. */
export const failureOf = (call: string, code: number): Cause => ({
  code: nvmlCode(code)?.reason ?? 'driver_error',
  message: `the GPUs were expected to be listed, but ${inWords(call, code)}`,
  details: { call, nvml_code: code },
});

/** NOT_FOUND, GPU_NOT_FOUND */
const isGone = (code: number): boolean => code === 6 || code === 28;

const whoIs = (index: number, listed: readonly GpuFact[], before: readonly GpuFact[]): GpuFact | undefined =>
  before.find((known) => known.index === index && listed.every(({ uuid }) => uuid !== known.uuid));

const blank = ({ index, uuid, pciAddress, name, memoryTotalBytes, computeCapability, deep = null }: GpuFact): GpuFact => ({
  index,
  uuid,
  pciAddress,
  name,
  memoryTotalBytes,
  memoryUsedBytes: null,
  memoryFreeBytes: null,
  computeCapability,
  temperatureC: null,
  powerWatts: null,
  utilisationPercent: null,
  recoveryAction: null,
  processes: [],
  mig: null,
  deep,
});

const readsOf = (code: number): NonNullable<GpuFact['reads']> => (code === 15 ? 'lost' : code === 16 ? 'reset' : 'unknown');

const recoveryWords: readonly string[] = ['None', 'GPU Reset Required', 'Node Reboot Required', 'Drain P2P', 'Drain and Reset'];

const toFact = (card: WireCard, now: Stamp, deepBefore: GpuDeep | null): GpuFact => ({
  index: card.index,
  uuid: card.uuid,
  pciAddress: card.pciAddress,
  name: card.name ?? 'unnamed NVIDIA GPU',
  memoryTotalBytes: card.memory?.totalBytes ?? null,
  memoryUsedBytes: card.memory?.usedBytes ?? null,
  memoryFreeBytes: card.memory?.freeBytes ?? null,
  computeCapability: card.computeCapability,
  temperatureC: card.temperatureC,
  powerWatts: card.powerWatts,
  utilisationPercent: card.utilisationPercent,
  recoveryAction: card.recovery === null ? null : (recoveryWords[card.recovery] ?? `number ${card.recovery}`),
  processes: card.processes.map(({ pid, usedBytes, gpuInstanceId }) => ({ pid, usedBytes, ...(gpuInstanceId !== null && { gpuInstanceId }) })),
  mig: card.mig?.map(toSlice) ?? null,
  deep: card.deep === null ? deepBefore : { ...card.deep, ...now },
  ...(card.worst === null ? {} : { reads: readsOf(card.worst) }),
});

const toSlice = ({ uuid, name, gpuInstanceId, computeInstanceId, memory }: NonNullable<WireCard['mig']>[number]): MigSlice => ({
  uuid,
  profile: /MIG (\S+)$/.exec(name ?? '')?.[1] ?? null,
  gpuInstanceId,
  computeInstanceId,
  memoryTotalBytes: memory?.totalBytes ?? null,
  memoryUsedBytes: memory?.usedBytes ?? null,
  memoryFreeBytes: memory?.freeBytes ?? null,
});
