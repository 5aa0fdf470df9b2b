/** What a pool may not ask of SGLang, by flag or by environment, and why. Data and two lookups. Names of 0.5. */
import { deniedBy } from '../denied-flags.ts';
import { isDeniedPythonEnv } from '../tensor-parallel.ts';

const vram = 'weights and KV cache stay in VRAM';
const code = 'it runs code that came with a model or a request';
const others = 'another machine or process would work on the requests';
const files = 'it reads or writes files of this machine';
const answers = 'it changes where the engine answers';

export const whyDenied = deniedBy({
  byName: [
    [
      'pool-managerd sets it from the spec',
      '--model --model-path --served-model-name --host --port --max-running-requests --context-length --api-key --admin-api-key --model-type',
    ],
    [
      'pool-managerd sets it from `devices`',
      '--tp --tp-size --tensor-parallel-size --pp --pp-size --pipeline-parallel-size --base-gpu-id --gpu-id-step --device',
    ],
    ['pool-managerd sets it from the VRAM that was granted', '--mem-fraction-static --max-total-tokens --max-total-token-num'],
    [vram, '--enable-hierarchical-cache --enable-memory-saver --enable-lmcache --cpu-offload-gb --enable-elastic-expert-backup'],
    [others, '--nnodes --node-rank --dist-init-addr --nccl-init-addr --nccl-port --dp --dp-size --data-parallel-size --use-ray'],
    [code, '--trust-remote-code --tool-server --forward-hooks --custom-sigquit-handler'],
    [answers, '--grpc-mode --fastapi-root-path --smg-grpc-mode'],
    [files, '--config --chat-template --completion-template --file-storage-path --crash-dump-folder --log-requests-target --dllm-algorithm-config'],
    ['models are provisioned, not fetched by engines', '--download-dir --revision --model-checksum'],
    ['readiness is proven after it is warm', '--skip-server-warmup --warmups --checkpoint-engine-wait-weights-before-ready'],
    ['the engine would exit at once', '-h --help'],
  ],
  byPattern: [
    [/offload|hicache|hierarchical|memory-saver|lmcache|cpu-backup|host-|-on-host|^--kt-|hisparse/, vram],
    [/lora/, 'adapters are loaded while it runs and kept in host memory'],
    [/trust-remote|plugin|custom-(?!all-reduce)/, code],
    [/disaggregation|^--remote-|mooncake|kv-events|elastic-ep/, others],
    [/^--export-metrics-to-file/, files],
    [/^--ssl/, answers],
    [/^--.*-(url|token)$/, 'engines fetch nothing and carry no credentials'],
  ],
});

/** `SGL_FORCE_SHUTDOWN` cuts off what is under way. */
const ownEnv = /FORCE_SHUTDOWN|^SGLANG_(EXTERNAL_|PLUGINS?|HOST_IP|PORT|ENABLE_TORCH_MEMORY_SAVER|MEMORY_SAVER)/;

export const isDeniedEnv = (name: string): boolean => ownEnv.test(name) || isDeniedPythonEnv(name);
