/** What a pool may not ask of TGI, by flag or by environment, and why. Data and two lookups. Names of 2 and 3. */
import { deniedBy } from '../denied-flags.ts';
import { isDeniedPythonEnv } from '../tensor-parallel.ts';

export const whyDenied = deniedBy({
  byName: [
    [
      'pool-managerd sets it from the spec',
      '--model-id --hostname -p --port --max-concurrent-requests --max-input-tokens --max-input-length --max-total-tokens --api-key ' +
        '--graceful-termination-timeout',
    ],
    ['pool-managerd sets it from `devices`', '--sharded --num-shard --master-addr --master-port --shard-uds-path'],
    ['pool-managerd sets it from the VRAM that was granted', '--cuda-memory-fraction'],
    ['it runs code that came with a model or a request', '--trust-remote-code'],
    ['it changes where the engine answers', '--cors-allow-origin --ngrok --ngrok-authtoken --ngrok-edge --prometheus-port'],
    ['it reads or writes files of this machine', '--tokenizer-config-path'],
    ['models are provisioned, not fetched by engines', '--revision --huggingface-hub-cache --weights-cache-override'],
    ['the engine would exit at once', '-h --help -V --version -e --env'],
  ],
  byPattern: [
    [/lora/, 'adapters are loaded while it runs and kept in host memory'],
    [/offload/, 'weights and KV cache stay in VRAM'],
    [/ngrok/, 'it changes where the engine answers'],
    [/trust-remote/, 'it runs code that came with a model or a request'],
    [/^--.*-(url|token)$/, 'engines fetch nothing and carry no credentials'],
  ],
});

/** Each of its flags can also be given as a variable. */
export const isDeniedEnv = (name: string): boolean => isDeniedPythonEnv(name) || whyDenied(`--${name.toLowerCase().replaceAll('_', '-')}`) !== null;
