/**
 * What a pool may not ask of llama-server, by flag or by environment, and why. Data and two lookups.
 *
 * Every spelling stands here, short and long, also of other versions: the engine's `--help` names spellings, not groups.
 */

const deniedFlags: readonly (readonly [why: string, names: string])[] = [
  [
    'pool-managerd sets it from the spec',
    '-m --model -np --parallel -c --ctx-size --host --port --metrics --slots --no-slots --api-key --api-key-file',
  ],
  ['pool-managerd sets it from `devices` and `tensor_split`', '-dev --device -sm --split-mode -mg --main-gpu -ts --tensor-split'],
  [
    'weights and KV cache stay in VRAM',
    '-ngl --gpu-layers --n-gpu-layers -fit --fit -fitt --fit-target -fitc --fit-ctx -kvo --kv-offload -nkvo --no-kv-offload -cmoe --cpu-moe -ncmoe --n-cpu-moe ' +
      '--moe-cache-mib -ncffn --n-cpu-ffn -ot --override-tensor --no-op-offload --no-mmproj-offload -mmdev --mmproj-device -otd --override-tensor-draft ' +
      '--spec-draft-override-tensor -cmoed --cpu-moe-draft --spec-draft-cpu-moe -ncmoed --n-cpu-moe-draft --spec-draft-ncmoe --spec-draft-n-cpu-moe ' +
      '-ngld --gpu-layers-draft --n-gpu-layers-draft --spec-draft-ngl -devd --device-draft --spec-draft-device',
  ],
  [
    'it keeps state of the model in host memory',
    '-cram --cache-ram --cache-idle-slots --no-cache-idle-slots -ctxcp --ctx-checkpoints --swa-checkpoints -lzm --lazy-mode --mlock -lm --load-mode ' +
      '--sleep-idle-seconds',
  ],
  ['another machine would work on the requests', '--rpc'],
  ['it changes where the engine answers', '--reuse-port --path --api-prefix --ssl-key-file --ssl-cert-file'],
  [
    'it lets clients of the engine act on this machine',
    '--tools --tools-runtime -ag --agent -no-ag --no-agent --mcp-servers-config --mcp-servers-json --ui-mcp-proxy --webui-mcp-proxy --no-ui-mcp-proxy ' +
      '--no-webui-mcp-proxy --props --video-ffmpeg-dir',
  ],
  [
    'it reads or writes files of this machine',
    '--slot-save-path --media-path --log-file --log-prompts-dir -lcs --lookup-cache-static -lcd --lookup-cache-dynamic --grammar-file -jf --json-schema-file ' +
      '--chat-template-file --ui-config-file --webui-config-file --models-preset --config --config-file --prompt-cache -f --file -bf --binary-file',
  ],
  [
    'models are provisioned, not fetched by engines',
    '-mu --model-url -dr --docker-repo -hf -hfr --hf-repo -hff --hf-file -hft --hf-token -hfd -hfrd --hf-repo-draft --spec-draft-hf -hfv -hfrv --hf-repo-v ' +
      '-hffv --hf-file-v -mmu --mmproj-url --models-dir --models-max --models-autoload --no-models-autoload',
  ],
  [
    'its output is evidence and is kept by pool-managerd',
    '--log-disable --log-jsonl --no-log-jsonl --log-colors -v --verbose --log-verbose -lv --verbosity --log-verbosity',
  ],
  ['the engine would exit at once', '-h --help --usage --version -cl --cache-list --completion-bash --list-devices'],
];

const byName: ReadonlyMap<string, string> = new Map(deniedFlags.flatMap(([why, names]) => names.split(' ').map((name) => [name, why] as const)));

/** Names a later version may add are caught by what they are about. */
const byPattern: readonly (readonly [RegExp, string])[] = [
  [/^--(embd-gemma|fim-qwen|gpt-oss|vision-gemma).*/, 'models are provisioned, not fetched by engines'],
  [/rpc|mcp|agent/, 'it lets others act on this machine'],
  [/override-tensor|cpu-moe|cpu-ffn|mlock|cache-ram|kv-offload/, 'weights and KV cache stay in VRAM'],
  [/^--.*-(url|token)$/, 'engines fetch nothing and carry no credentials'],
];

/** Why a flag is refused; null: it is not. */
export const whyDenied = (flag: string): string | null => byName.get(flag) ?? byPattern.find(([pattern]) => pattern.test(flag))?.[1] ?? null;

/** `GGML_CUDA_ENABLE_UNIFIED_MEMORY=0` enables it too: llama.cpp asks only whether it is there. */
const deniedEnv =
  /^(LLAMA_|GGML_CUDA_ENABLE_UNIFIED_MEMORY$|GGML_RPC|GGML_BACKEND_PATH$|CUDA_VISIBLE_DEVICES$|CUDA_DEVICE_ORDER$|NVIDIA_VISIBLE_DEVICES$|LD_|HF_|HUGGING_)/;

export const isDeniedEnv = (name: string): boolean => deniedEnv.test(name);
