/** What a pool may not ask of vLLM, by flag or by environment, and why. Data and two lookups. Names of 0.10 to 0.25. */
import { deniedBy } from '../denied-flags.ts';
import { isDeniedPythonEnv } from '../tensor-parallel.ts';

const vram = 'weights and KV cache stay in VRAM';
const code = 'it runs code that came with a model or a request';
const others = 'another machine or process would work on the requests';
const adapters = 'adapters are loaded while it runs and kept in host memory';

export const whyDenied = deniedBy({
  byName: [
    ['pool-managerd sets it from the spec', '--model --served-model-name --host --port --max-num-seqs --max-model-len --api-key --shutdown-timeout'],
    ['pool-managerd sets it from `devices`', '-tp --tensor-parallel-size -pp --pipeline-parallel-size --distributed-executor-backend --device'],
    [
      'pool-managerd sets it from the VRAM that was granted',
      '--gpu-memory-utilization --kv-cache-memory-bytes --kv-cache-memory --num-gpu-blocks-override',
    ],
    [vram, '--cpu-offload-gb --swap-space --kv-transfer-config --kv-offloading-size --kv-offloading-backend --enable-sleep-mode --additional-config'],
    [others, '-n --nnodes -r --node-rank --headless --worker-cls --worker-extension-cls --kv-events-config'],
    [code, '--trust-remote-code --middleware --logits-processors --logits-processor-pattern --tool-server'],
    ['it changes where the engine answers', '--uds --root-path'],
    ['it reads or writes files of this machine', '--config --chat-template --allowed-local-media-path --profiler-config --log-config-file'],
    ['models are provisioned, not fetched by engines', '--download-dir --revision --code-revision --tokenizer-revision --hf-config-path'],
    ['its metrics tell how it is', '--disable-log-stats'],
    ['the engine would exit at once', '-h --help -v --version'],
  ],
  byPattern: [
    [/lora/, adapters],
    [/offload|swap-space|sleep-mode|transfer-config|[-.]cpu\b/, vram],
    [/trust-remote|plugin|middleware/, code],
    [/^-dp|^--data-parallel|^--master-|-?ray-/, others],
    [/^--ssl/, 'it changes where the engine answers'],
    [/^--.*-(url|token)$/, 'engines fetch nothing and carry no credentials'],
  ],
});

/** Some open the engine to its clients, others keep it alive when its core is dead. */
const ownEnv =
  /^VLLM_(API_KEY|HOST_IP|PORT|PLUGINS|KEEP_ALIVE_|ALLOW_RUNTIME_LORA|ALLOW_INSECURE|SERVER_DEV_MODE|TARGET_DEVICE|CPU_|LOGGING_|CONFIGURE_LOGGING|DISABLE_LOG)/;

export const isDeniedEnv = (name: string): boolean => ownEnv.test(name) || isDeniedPythonEnv(name);
