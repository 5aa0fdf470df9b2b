/**
 * What each reason code means to a person: what happened, where to look, what to do. The command line prints the first advice,
 * `docs/reasons.md` all of it. Types see to it that none is missing.
 */
import type { ReasonCode } from '../machines/reasons.ts';

export interface ReasonText {
  readonly means: string;
  /** Each a sentence or a command in backticks with what it tells. */
  readonly look: readonly string[];
  /** The first stands alone in `pool-managerd pool POOL`: no links, and no other code to look up. */
  readonly act: readonly [string, ...string[]];
  /** As ordered, or mended by the daemon itself: nobody has to do anything yet. */
  readonly byItself?: true;
}

const status = '`pool-managerd status POOL` names it: message and details.';
const lastWords = '`pool-managerd logs POOL --previous` shows the last words of the engine that ended.';
const cards = '`pool-managerd gpus` shows what is free, in use and promised.';
const fetching = 'What is fetched from where: [engines and models](provisioning.md).';

const reasonTexts = {
  operator: {
    means: 'A person or a program ordered the pool down, or the daemon is ending.',
    look: ['`pool-managerd events POOL` shows when. The access line in the log, with `identity`, shows by which token.'],
    act: ['`pool-managerd start POOL` brings it back.'],
    byItself: true,
  },
  drained: {
    means: 'A drain has ended: no requests are left and the engine is gone.',
    look: ['`pool_drain_forced_total` tells whether requests had to be cut at the deadline.'],
    act: ['`pool-managerd start POOL` brings it back.'],
    byItself: true,
  },
  removed: {
    means: 'The pool is not declared any more: taken out of the pools file, or removed over the API.',
    look: ['The pools file, and who changed it.'],
    act: ['Declare it again if that was a mistake; the daemon takes it up by itself.'],
    byItself: true,
  },
  engine_completed: {
    means: 'The engine ended with exit code 0, without having been asked to. A server does not do that.',
    look: [lastWords, 'The `flags` of the pool: some print something and exit.'],
    act: ['Mend the flags; then `pool-managerd start POOL`. It is not tried again by itself, for it did not fail.'],
  },
  superseded: {
    means: 'The pool has a newer spec; its engine makes way for one of that.',
    look: ['`pool-managerd events POOL` shows `reloaded` or `rolled_back` at the end.'],
    act: ['Nothing.'],
    byItself: true,
  },
  health_failed: {
    means: 'The engine runs and did not answer as a healthy one does, three times in a row; or a proof of its readiness failed.',
    look: [
      status,
      '`pool-managerd logs POOL` around that time.',
      '`pool_health_checks_total` by `outcome`: timeout, refused and error are different things.',
    ],
    act: [
      'It is started again by itself, with growing pauses.',
      'Where a busy engine answers late, raise `health.timeout_ms`; where a first request takes long, `health.progress_timeout_ms`.',
    ],
    byItself: true,
  },
  wedged: {
    means: 'The engine answers, and its work has not moved on for four times `health.progress_timeout_ms`: requests are in it and none gets a token.',
    look: ['`pool-managerd logs POOL` for the last thing it did.', 'The kernel log for errors of the driver at that time (`Xid`).'],
    act: ['It is started again by itself. If it comes back at the same kind of request, report it to the makers of the engine, with the log.'],
    byItself: true,
  },
  engine_exited: {
    means: 'The engine ended, and nothing it said or the kernel said explains it better.',
    look: [lastWords, status],
    act: ['It is started again by itself. Start it by hand with the command line of the log to see more.'],
    byItself: true,
  },
  oom_killed: {
    means: 'The kernel killed the engine since the host, or the control group of the engine, ran out of memory. Host memory, not VRAM.',
    look: [status, '`journalctl -k -g "Out of memory"` shows what else was there.'],
    act: [
      'Give the machine or the slice more memory, or take another large process away.',
      'A model that does not fit is not helped by being tried again.',
    ],
  },
  cuda_error: {
    means: 'CUDA reported an error that is not about memory.',
    look: [lastWords, 'The kernel log for an `Xid` at that time.'],
    act: ['It is started again after twice the usual pause. If it comes back, look at the card: `nvidia-smi -q`, and another engine version.'],
    byItself: true,
  },
  driver_error: {
    means: 'The NVIDIA driver does not answer, or not as it should.',
    look: ['`nvidia-smi` by hand, with `timeout 10`.', 'The kernel log.'],
    act: ['Pools wait and engines that run are left alone. A driver that hangs usually needs the machine to be started again.'],
  },
  cuda_oom: {
    means: 'The engine ran out of VRAM. The same spec will not fit the next time either, so it is not tried again.',
    look: [lastWords, cards, '`pool-managerd estimate MODEL --ctx N` shows what it needs, in parts.'],
    act: ['Lower `ctx` or `slots`, take a smaller quantisation, or more or other `devices`. A changed pools file is taken up by itself.'],
  },
  residency_violation: {
    means: 'The engine runs and it is not proven that weights and KV cache are wholly in VRAM; or it is proven that they are not.',
    look: [
      status,
      '`pool-managerd logs POOL` for the lines about buffers and layers.',
      'What counts as proof: [engines](engines.md#weights-and-kv-cache-in-vram).',
    ],
    act: [
      'Make it fit: lower `ctx` or `slots`, or take a smaller quantisation. Where the engine says it in words that this version does not know, use a version that it does.',
    ],
  },
  start_stalled: {
    means:
      'While it loaded, nothing moved for `timeouts.start_stall_ms`: no file was read, no VRAM grew, no line was written. Or, before, its program said neither its version nor its flags in time.',
    look: ['`pool-managerd logs POOL`', 'Whether the disk with the model answers: `iostat`, network file systems above all.'],
    act: ['It is started again by itself. Raise the limit where the storage is known to be slow.'],
  },
  start_timeout: {
    means: 'The engine loaded for longer than its size allows (`timeouts.start_max_ms`), though something moved.',
    look: ['`pool_start_duration_seconds` by `phase`, of earlier starts.'],
    act: ['Raise the limit, or put the model on faster storage.'],
  },
  port_conflict: {
    means: 'The port of the engine is held by another process.',
    look: [status, '`ss -ltnp` shows whose it is.'],
    act: ['End that process, or give the pool other `ports`. Another port of the range is taken by itself where the pool names none.'],
  },
  identity_mismatch: {
    means: 'Who answers on the port of the engine is not the engine that was started there.',
    look: [status, '`ss -ltnp`'],
    act: ['Somebody else took the port. No signal was sent to it. Find out who, then end it or move the pool.'],
  },
  unkillable: {
    means: 'A process of the engine is still there after SIGKILL, usually in the driver. Its GPUs are not used until it is gone.',
    look: ['`pool-managerd gpus` shows the quarantine.', '`cat /proc/PID/stack` as root shows where it hangs.'],
    act: [
      'It clears by itself when the process is gone. A process that never goes needs the machine to be started again; drain the other pools first.',
    ],
  },
  insufficient_vram: {
    means: 'What the pool needs is not free on its cards, by what is promised to others or in use by strangers.',
    look: [status, cards],
    act: ['It starts by itself when there is room. Drain another pool, end foreign processes, or make it smaller: lower `ctx` or `slots`.'],
  },
  vram_not_released: {
    means: 'The engine has ended and its VRAM did not come back within `timeouts.vram_release_ms`.',
    look: [cards, '`nvidia-smi` for processes that hold it.'],
    act: ['It starts by itself when the memory is back. End what holds it; where nothing does, the card needs a reset.'],
  },
  insufficient_host_memory: {
    means: 'The engine could not get the host memory it asked for.',
    look: ['`free -m`', lastWords],
    act: ['Give the machine more memory, or lower what else runs. It is tried again by itself.'],
  },
  gpu_missing: {
    means: 'A card that the pool names in `devices` is not there.',
    look: ['`pool-managerd gpus` lists index and UUID of those that are.', '`nvidia-smi -L`, `lspci -d 10de:`'],
    act: ['Correct `devices`; UUIDs outlive a renumbering. It starts by itself when the card is back.'],
  },
  gpu_lost: {
    means: 'A card of the pool has fallen off the bus.',
    look: ['The kernel log, for `Xid 79`.'],
    act: ['Power and cooling first; usually the machine has to be started again. It comes up by itself when the card is back.'],
  },
  gpu_unhealthy: {
    means: 'A card of the pool is there, and what it says of itself forbids to use it.',
    look: ['`pool-managerd gpus`', '`nvidia-smi -q -i INDEX`: ECC errors, remapped rows, power, temperature.'],
    act: ['Move the pool to another card, by `devices`, and have that one looked at.'],
  },
  gpu_reset_required: {
    means: 'A card of the pool asks for a reset before it can be used.',
    look: ['`nvidia-smi -q -i INDEX`', 'The kernel log.'],
    act: ['Drain every pool on that card, then `nvidia-smi --gpu-reset -i INDEX` or start the machine again. The pool comes up by itself.'],
  },
  nvidia_uvm_missing: {
    means: 'The kernel module or the device nodes of unified memory are missing: CUDA cannot start.',
    look: ['`ls -l /dev/nvidia-uvm*`, `lsmod | grep nvidia_uvm`'],
    act: ['`nvidia-modprobe -c 0 -u` as root, at each boot. It was tried without root already. The pool comes up by itself.'],
  },
  driver_mismatch: {
    means: 'The driver in the kernel and its libraries are of different versions, as after an upgrade without a reboot.',
    look: ['`nvidia-smi` says so; `cat /proc/driver/nvidia/version` is the one in the kernel.'],
    act: ['Load the new module (end everything on the GPUs first) or start the machine again.'],
  },
  engine_missing: {
    means: 'There is no executable of the engine where it was looked for, or no release at its URL.',
    look: [status],
    act: ['Install it, name it in `provisioning.executable`, or correct `provisioning.binary.url`; then `pool-managerd start POOL`.'],
  },
  engine_incompatible: {
    means: 'The engine is there and cannot be used: too old, without CUDA, lacks a flag that is needed, or cannot prove where its memory is.',
    look: [status, 'What each engine needs: [engines](engines.md).'],
    act: ['Install another version; then `pool-managerd start POOL`.'],
  },
  model_missing: {
    means: 'There is no model where `model` says: at its path, its URL, or in its repository.',
    look: [status, 'Under systemd: whether the user `llama-engine` may read it, and that it is not below `/home`.'],
    act: ['Put it there, then `pool-managerd start POOL`; or correct `model`: a changed pools file is taken up by itself.'],
  },
  model_incompatible: {
    means: 'The model is there, and this engine cannot use it: of another format, damaged, or of an architecture it does not know.',
    look: [status, '`pool-managerd estimate MODEL` reads its header.', lastWords],
    act: ['Take another file of the model, or a newer engine.'],
  },
  invalid_spec: {
    means: 'The declaration of the pool asks for something that cannot or must not be: a flag that is refused, shares that do not add up.',
    look: [status, '`pool-managerd config check FILE`'],
    act: ['Correct it as the message says. A changed pools file is taken up by itself.'],
  },
  build_failed: {
    means: 'The engine could not be built from source: a tool is missing, the ref is not there, or the build ended with an error.',
    look: [status, fetching],
    act: ['Install what is named, or correct `provisioning.source`; then `pool-managerd start POOL`.'],
  },
  install_failed: {
    means: 'The archive of the engine is refused, or the engine is not in it; or the installer of its package failed.',
    look: [status, fetching],
    act: ['Take another release or version, or name the program in `provisioning.binary.executable`; then `pool-managerd start POOL`.'],
  },
  digest_mismatch: {
    means: 'What was fetched is not what its checksum says. Nothing of it was kept.',
    look: [status, 'What whoever publishes the file says its SHA-256 is.'],
    act: ['Correct the checksum if it was wrong, else ask them; then `pool-managerd start POOL`.'],
  },
  download_unauthorized: {
    means: 'The place that the model comes from wants a login, or another one. A hub says so also of what is not there.',
    look: [status, fetching],
    act: ['Give the daemon HF_TOKEN, accept the terms of the model on the hub, or correct `model`; then `pool-managerd start POOL`.'],
  },
  download_unreachable: {
    means: 'The place that the model or engine comes from cannot be reached: name, network, proxy or server.',
    look: [status, '`curl -I URL` from this machine, as this user.'],
    act: ['It is tried again by itself. HTTPS_PROXY and HF_ENDPOINT name a proxy and a mirror.'],
  },
  download_stalled: {
    means: 'A download brought less than a kilobyte a second for a minute.',
    look: [status],
    act: ['It goes on by itself where it stopped.'],
    byItself: true,
  },
  download_failed: {
    means: 'A download broke off several times, or its server answers with errors.',
    look: [status],
    act: ['It goes on by itself where it stopped.'],
    byItself: true,
  },
  disk_full: {
    means: 'The disk with the state directory has no room for what must survive a restart, or that with the cache none for what is to be fetched.',
    look: [status, '`df -h` of both directories, `du -sh` of `logs` in the former, `pool-managerd prune` for the latter.'],
    act: ['Free room; it goes on by itself. Engines that run are not touched meanwhile.'],
  },
  state_store_failed: {
    means: 'The state directory or the cache cannot be written, for another reason than room.',
    look: [status, 'Its owner and mode, and the kernel log for errors of the disk.'],
    act: ['Mend it; it goes on by itself. No engine is started whose record could not be kept, since it could not be found again.'],
  },
  crash_loop: {
    means: 'The pool has failed `restart.max_restarts` times within `restart.window_ms` and is left alone for minutes.',
    look: ['`pool-managerd events POOL` names the reason of each.', lastWords],
    act: ['Mend the cause; `pool-managerd start POOL` tries at once and forgets the count.'],
  },
} as const satisfies Record<ReasonCode, ReasonText>;

export const reasonTextOf = (code: ReasonCode): ReasonText => reasonTexts[code];

export const isReasonCode = (code: string): code is ReasonCode => Object.hasOwn(reasonTexts, code);
