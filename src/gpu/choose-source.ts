/**
 * POOL_MANAGERD_GPU_SOURCE → the GpuSource it names.
 *
 * Never falls back: what was asked for by name and cannot be given is a configuration mistake (exit 78).
 */
import { assertNever } from '../cause.ts';
import { type NvidiaSmiOptions, nvidiaSmi } from './nvidia-smi.ts';
import { type SimulatedCard, type SimulatedDeps, simulated } from './simulated.ts';
import type { GpuSource } from './source.ts';

/** The setting, parsed. `auto` takes the best source of this build, nvidia-smi. */
export type GpuSourceSetting =
  | { readonly kind: 'auto' | 'nvml' | 'nvidia-smi' }
  | { readonly kind: 'simulated'; readonly cards: readonly SimulatedCard[] };

export interface ChooseDeps extends Omit<SimulatedDeps, 'cards'> {
  readonly nvidiaSmi?: NvidiaSmiOptions;
}

export type Choice = { readonly ok: true; readonly source: GpuSource } | { readonly ok: false; readonly mistake: string };

export const chooseSource = (setting: GpuSourceSetting, deps: ChooseDeps): Choice => {
  switch (setting.kind) {
    case 'auto':
    case 'nvidia-smi':
      return { ok: true, source: nvidiaSmi(deps.nvidiaSmi) };
    case 'simulated':
      return setting.cards.length > 0 ? { ok: true, source: simulated({ ...deps, cards: setting.cards }) } : { ok: false, mistake: noCards };
    case 'nvml':
      return { ok: false, mistake: noNvml };
    default:
      return assertNever(setting);
  }
};

const noNvml = 'POOL_MANAGERD_GPU_SOURCE is nvml, which this build does not have: expected auto, nvidia-smi or simulated:…';
const noCards = 'POOL_MANAGERD_GPU_SOURCE is simulated without a card: expected at least one';
