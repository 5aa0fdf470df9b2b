/**
 * POOL_MANAGERD_GPU_SOURCE, read. `simulated:` is followed by cards with commas between them, each a memory size, many of one
 * kind as `2x24GiB`. Simulated cards are asked for by name only: there is no default and no falling back to them.
 */
import type { GpuSourceSetting } from '../gpu/choose-source.ts';
import type { SimulatedCard } from '../gpu/simulated.ts';
import { textValue } from './text-values.ts';

const mostCards = 64;
const units: Readonly<Record<string, number>> = { MiB: 1024 ** 2, GiB: 1024 ** 3 };

export const gpuSource = () =>
  textValue<GpuSourceSetting>(
    `auto, nvml, nvidia-smi, or simulated: with cards such as simulated:2x24GiB or simulated:24GiB,80GiB (MiB or GiB, at most ${mostCards} cards)`,
    (text) => (text === 'auto' || text === 'nvml' || text === 'nvidia-smi' ? { kind: text } : readSimulated(text)),
  );

const readSimulated = (text: string): GpuSourceSetting | null => {
  if (!text.startsWith('simulated:')) return null;
  const groups = text
    .slice('simulated:'.length)
    .split(',')
    .map((part) => readGroup(part.trim()));
  const cards = groups.flatMap((group) => group ?? []);
  return groups.includes(null) || cards.length > mostCards ? null : { kind: 'simulated', cards };
};

/** `24GiB` or `2x24GiB`. */
const readGroup = (text: string): readonly SimulatedCard[] | null => {
  const [, count = '1', size = '', unit = ''] = /^(?:([1-9]\d?)x)?([1-9]\d{0,5})(MiB|GiB)$/.exec(text) ?? [];
  const bytes = Number(size) * (units[unit] ?? 0);
  return bytes === 0 ? null : Array.from({ length: Number(count) }, () => cardOf(bytes, `${size} ${unit}`));
};

const cardOf = (memoryBytes: number, size: string): SimulatedCard => ({ name: `Simulated ${size}`, memoryBytes, computeCapability: '8.9' });
