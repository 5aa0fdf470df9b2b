/** The engines by name: the table in which a new one is a row. */
import { assertNever } from '../cause.ts';
import type { Cause, EngineName } from '../machines/vocabulary.ts';
import type { EngineAdapter } from './adapter.ts';
import { custom } from './custom.ts';
import { llamacpp } from './llamacpp.ts';

/** A Cause `engine_incompatible` for engines that this version knows by name only. */
export const adapterFor = (name: EngineName): EngineAdapter | Cause => {
  switch (name) {
    case 'llamacpp':
      return llamacpp;
    case 'custom':
      return custom;
    case 'vllm':
    case 'sglang':
    case 'tgi':
      return {
        code: 'engine_incompatible',
        message: `this version does not run ${name} yet; expected llamacpp, or custom with its endpoints spelled out`,
        details: { engine: name },
      };
    default:
      return assertNever(name);
  }
};
