/** The engines by name: the table in which a new one is a row. */
import type { EngineName } from '../machines/vocabulary.ts';
import type { EngineAdapter } from './adapter.ts';
import { custom } from './custom.ts';
import { llamacpp } from './llamacpp.ts';
import { sglang } from './sglang.ts';
import { tgi } from './tgi.ts';
import { vllm } from './vllm.ts';

const adapters: Readonly<Record<EngineName, EngineAdapter>> = { llamacpp, vllm, sglang, tgi, custom };

export const adapterFor = (name: EngineName): EngineAdapter => adapters[name];
