/**
 * Why a pool is where it is: one table for API, log, metrics and journal.
 *
 * Data only. `endsIn` is the child of `offline` in which a pool with that reason comes to rest while it is wanted up;
 * `retried` says whether it leaves by itself.
 */

interface ReasonRow {
  readonly endsIn: 'stopped' | 'backingOff' | 'blocked' | 'failed' | 'stuck' | 'again';
  readonly retried: boolean;
  /** CUDA and driver errors wait twice as long. */
  readonly slower?: true;
}

const stopped: ReasonRow = { endsIn: 'stopped', retried: false };
const backingOff: ReasonRow = { endsIn: 'backingOff', retried: true };
const slower: ReasonRow = { endsIn: 'backingOff', retried: true, slower: true };
const blocked: ReasonRow = { endsIn: 'blocked', retried: true };
const failed: ReasonRow = { endsIn: 'failed', retried: false };

export const reasons = {
  operator: stopped,
  drained: stopped,
  removed: stopped,
  engine_completed: stopped,
  superseded: { endsIn: 'again', retried: true },
  health_failed: backingOff,
  wedged: backingOff,
  engine_exited: backingOff,
  oom_killed: backingOff,
  cuda_error: slower,
  driver_error: slower,
  cuda_oom: failed,
  residency_violation: failed,
  start_stalled: backingOff,
  start_timeout: backingOff,
  port_conflict: backingOff,
  identity_mismatch: backingOff,
  unkillable: { endsIn: 'stuck', retried: true },
  insufficient_vram: blocked,
  vram_not_released: blocked,
  insufficient_host_memory: backingOff,
  gpu_missing: blocked,
  gpu_lost: blocked,
  gpu_unhealthy: blocked,
  gpu_reset_required: blocked,
  nvidia_uvm_missing: blocked,
  driver_mismatch: blocked,
  engine_missing: failed,
  engine_incompatible: failed,
  model_missing: failed,
  model_incompatible: failed,
  invalid_spec: failed,
  build_failed: failed,
  install_failed: failed,
  digest_mismatch: failed,
  download_unauthorized: failed,
  download_unreachable: backingOff,
  download_stalled: backingOff,
  download_failed: backingOff,
  disk_full: backingOff,
  state_store_failed: backingOff,
  crash_loop: backingOff,
} as const satisfies Record<string, ReasonRow>;

export type ReasonCode = keyof typeof reasons;

export const reasonCodes = Object.keys(reasons) as readonly ReasonCode[];

export const reasonRow = (code: ReasonCode): ReasonRow => reasons[code];
