/**
 * POOL_MANAGERD_GPU_SOURCE → the GpuSource it names.
 *
 * Never falls back from what was asked for by name.
 */
import { assertNever } from '../cause.ts';
import { automatic } from './automatic.ts';
import { type NvidiaSmiOptions, nvidiaSmi } from './nvidia-smi.ts';
import { type NvmlOptions, nvml } from './nvml/nvml.ts';
import { type SimulatedCard, type SimulatedDeps, simulated } from './simulated.ts';
import type { GpuSource } from './source.ts';

/** The setting, parsed. `auto` takes NVML once that works, else nvidia-smi. */
export type GpuSourceSetting =
  | { readonly kind: 'auto' | 'nvml' | 'nvidia-smi' }
  | { readonly kind: 'simulated'; readonly cards: readonly SimulatedCard[] };

export interface ChooseDeps extends Omit<SimulatedDeps, 'cards'> {
  readonly nvidiaSmi?: NvidiaSmiOptions;
  readonly nvml?: NvmlOptions;
  /** Told which source `auto` takes. Absent: whoever reads once, for whom another process does not pay. */
  readonly onNote?: (note: string) => void;
}

export type Choice = { readonly ok: true; readonly source: GpuSource } | { readonly ok: false; readonly mistake: string };

export const chooseSource = (setting: GpuSourceSetting, deps: ChooseDeps): Choice => {
  switch (setting.kind) {
    case 'auto':
      if (deps.onNote === undefined) return { ok: true, source: nvidiaSmi(deps.nvidiaSmi) };
      return { ok: true, source: automatic({ smi: nvidiaSmi(deps.nvidiaSmi), nvml: nvml(deps.nvml), onNote: deps.onNote }) };
    case 'nvidia-smi':
      return { ok: true, source: nvidiaSmi(deps.nvidiaSmi) };
    case 'simulated':
      return setting.cards.length > 0 ? { ok: true, source: simulated({ ...deps, cards: setting.cards }) } : { ok: false, mistake: noCards };
    case 'nvml':
      return { ok: true, source: nvml(deps.nvml) };
    default:
      return assertNever(setting);
  }
};

const noCards = 'POOL_MANAGERD_GPU_SOURCE is simulated without a card: expected at least one';
