/** A model as somebody asks for it: the reference, and what of it is not in the reference. */
import type { EngineName } from '../../machines/vocabulary.ts';

export interface WantedModel {
  readonly reference: string;
  /** `sha256:…`; null: none was given. */
  readonly checksum: string | null;
  /** Quantisation, where the reference leaves a choice. */
  readonly quant: string | null;
  /** llama-server reads one file, others a folder; null: whatever there is. */
  readonly engine: EngineName | null;
  /** Asks the hub again what a branch is; a daemon never does, so that a model changes only when somebody says so. */
  readonly refresh: boolean;
  /** Where models are kept instead of in the store; null: in the store. */
  readonly cacheDir: string | null;
}
