/** How the engines of scenarios behave, by what is said of them. Data only. */
import type { House } from '../../kit/daemon.ts';

type Changes = Parameters<House['stub']>[1];

const never = '3600000';

/** Long enough to be proven ready before, on a machine with much to do. */
const aWhile = '2500';

export const manners: Readonly<Record<string, Changes>> = {
  'loads for two seconds': { env: { STUB_LOAD_MS: '2000' } },
  'is never healthy': { env: { STUB_LOAD_MS: never } },
  'stalls while it loads': { env: { STUB_LOAD_MS: never }, timeouts: { start_stall_ms: 400, stop_ms: 2_000 }, restart: { initial_ms: 60_000 } },
  'loads for longer than it may': { env: { STUB_LOAD_MS: never }, timeouts: { start_max_ms: 600, stop_ms: 2_000 }, restart: { initial_ms: 60_000 } },
  'fails its load': { env: { STUB_FAIL_LOAD: 'terminate called: nothing in particular' }, restart: { initial_ms: 60_000 } },
  'fails its load with a CUDA error': {
    env: { STUB_FAIL_LOAD: 'CUDA error: an illegal memory access was encountered' },
    restart: { initial_ms: 60_000 },
  },
  'runs out of VRAM': { env: { STUB_FAIL_LOAD: 'ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory' } },
  'runs out of host memory': { env: { STUB_FAIL_LOAD: 'terminate called after throwing: std::bad_alloc' }, restart: { initial_ms: 60_000 } },
  'ends by itself with exit code 0': { env: { STUB_CRASH_AFTER_MS: aWhile, STUB_CRASH_CODE: '0' } },
  'ignores SIGTERM': { env: { STUB_IGNORE_TERM: '1' }, timeouts: { stop_ms: 300, drain_ms: 1_000 } },
  'hangs on its slots after a while': {
    env: { STUB_HANG: 'slots', STUB_HANG_AFTER_MS: aWhile },
    health: { interval_ms: 100, timeout_ms: 200, progress_timeout_ms: 200, failures: 3 },
  },
  'writes slowly': { env: { STUB_TOKENS_PER_SECOND: '10' } },
  'is not installed': { provisioning: { mode: 'external', executable: '/nowhere/llama-server' } },
  'serves a model that is not there': { model: '/nowhere/model.gguf' },
  'runs on a GPU that is not there': { devices: [42] },
  'restarts after a minute': { restart: { initial_ms: 60_000, max_ms: 60_000 } },
  'is not to be started': { preload: false },
};
