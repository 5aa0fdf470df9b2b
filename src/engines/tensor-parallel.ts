/**
 * What the plans of vLLM, SGLang and TGI share: they split each layer evenly over all GPUs of the pool, take a fraction of each, and
 * run Python. Pure.
 */
import type { Cause, VramShare } from '../machines/vocabulary.ts';
import type { LaunchInput } from './adapter.ts';
import { deniedEnvProblem } from './environment.ts';
import { type FlagRules, userFlagsProblem } from './user-flags.ts';

export interface Rules extends FlagRules {
  readonly isDeniedEnv: (name: string) => boolean;
  /** As its makers write it. */
  readonly title: string;
}

export const specProblem = ({ spec, engine, model }: LaunchInput, rules: Rules): Cause | null => {
  if (model.path === null) return { code: 'model_missing', message: `expected a model for ${rules.title}, found none; set \`model\`` };
  if (model.path.startsWith('-')) return invalid(`expected a path, found ${JSON.stringify(model.path)}, which reads as a flag`);
  if (spec.api_key_file !== null) {
    return invalid(
      `api_key_file: expected none for ${rules.title}, which takes keys only where others on this machine may read them, found one; put it behind a proxy`,
    );
  }
  if (spec.tensor_split !== null && new Set(spec.tensor_split).size > 1) {
    return invalid(
      `tensor_split: expected even shares, as ${rules.title} splits every layer evenly, found ${spec.tensor_split.join(', ')}; remove it`,
    );
  }
  return deniedEnvProblem(spec.env, rules.isDeniedEnv) ?? userFlagsProblem(spec.flags, engine.knownFlags, rules);
};

const invalid = (message: string): Cause => ({ code: 'invalid_spec', message });

export interface Fraction {
  /** As a flag wants it; null: simulated, and nothing is known. */
  readonly text: string | null;
}

/**
 * The fraction of each GPU that an engine is given. Its own
 * default takes most of a card whoever else is on it, so that on a real one an unknown share is a Cause.
 */
export const fractionFor = ({ vram = null, simulated, model }: LaunchInput, takes: (share: VramShare) => number): Fraction | Cause => {
  if (vram === null) return simulated ? { text: null } : unknownShare(model.shape?.cache == null);
  // Downwards, so that rounding takes nothing from others.
  const fraction = Math.floor((takes(vram) / vram.totalBytes) * 10_000) / 10_000;
  return fraction > 0 && fraction < 1 ? { text: fraction.toFixed(4) } : impossible(fraction);
};

const unknownShare = (byModel: boolean): Cause =>
  byModel
    ? {
        code: 'model_incompatible',
        message:
          'expected a model whose header tells what VRAM it needs (safetensors with config.json, or GGUF), found none that can be read: ' +
          'its share of the GPU cannot be computed, and the default of the engine could take what others were promised',
      }
    : {
        code: 'driver_error',
        message: 'expected the memory of the GPU from the driver, found none: the share of it that this engine may take cannot be computed',
      };

const impossible = (fraction: number): Cause => ({
  code: 'insufficient_vram',
  message: `expected a share of the GPU between 0 and 1, found ${fraction}; use a smaller model, \`ctx\` or \`slots\`, or more devices`,
});

/** Whoever installed the engine, hub and accelerator are not its to choose. */
const sharedEnv =
  /^(CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|NVIDIA_VISIBLE_DEVICES)$|^(CUDA_MANAGED_|LD_|PYTHON|HF_|HUGGING|TRANSFORMERS_|LMCACHE_|MOONCAKE_|NIXL_|UCX_|RAY_)|MODELSCOPE|OFFLOAD|HICACHE/;

export const isDeniedPythonEnv = (name: string): boolean => sharedEnv.test(name);

/** Models are there already, and what runs here is nobody's statistic. */
export const offline: Readonly<Record<string, string>> = { HF_HUB_OFFLINE: '1', TRANSFORMERS_OFFLINE: '1', DO_NOT_TRACK: '1' };

/** Seconds for what is under way when it is told to stop, within the grace that it has. */
export const graceSeconds = ({ spec }: Pick<LaunchInput, 'spec'>): string => String(Math.max(1, Math.floor(spec.timeouts.stop_ms / 1_000) - 1));
