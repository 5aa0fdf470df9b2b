/**
 * The requirements that this daemon answers for: what each asks, where the code is, and the tests that hold it. Scenarios of
 * features name theirs by tags and are added to these. `missing`: what is asked and no test here holds yet.
 */
import { by, type Held } from './claim.ts';

export interface Requirement {
  readonly ids: readonly string[];
  readonly asks: string;
  readonly code: readonly string[];
  readonly tests: readonly Held[];
  readonly missing?: string;
}

export const requirements: readonly Requirement[] = [
  {
    ids: ['ORCH-3002', 'OC-POOL-3001'],
    asks: 'Pools start with the daemon and are ready only after success.',
    code: ['src/machines/pool/states/starting.ts'],
    tests: by('machines/pool/starting.ts', 'comes to ready by way of files, VRAM, process, handoff and proof'),
  },
  {
    ids: ['ORCH-3003', 'OC-POOL-3002'],
    asks: 'A start fails fast when memory is short, stays unready and is tried again.',
    code: ['src/machines/policies/ledger.ts', 'src/machines/pool/states/starting.ts'],
    tests: [
      ...by('machines/ledger.test.ts', 'refuses what does not fit, with the numbers of the card and what frees it'),
      ...by('machines/pool/starting.ts', 'what does not fit is blocked until VRAM frees, and looks again by itself'),
    ],
    missing: 'host memory is not looked at before a start; an engine that runs out of it is told afterwards',
  },
  {
    ids: ['OC-POOL-3003'],
    asks: 'Readiness answers carry the state of the start and the cause of the last error.',
    code: ['src/http/routes/vital.ts', 'src/machines/pool/view.ts'],
    tests: by('http/routes.test.ts', 'says why the node does not serve, and when to ask again'),
  },
  {
    ids: ['ORCH-3004', 'ORCH-3005', 'ORCH-3008'],
    asks: 'The node reports what queueing and placement need: slots, work in flight, load.',
    code: ['src/orchestrator/wire.ts', 'src/engines/llamacpp/slots.ts'],
    tests: [
      ...by('orchestrator/wire.test.ts', 'carries the documented fields, ours besides, and how long ago the engine was last asked'),
      ...by('actors/probe-health.test.ts', 'has every change of its load said once'),
    ],
    missing: 'limits of queues per pool in the configuration',
  },
  {
    ids: ['ORCH-3010'],
    asks: 'Only ready pools are offered.',
    code: ['src/machines/pool/reports.ts', 'src/orchestrator/wire.ts'],
    tests: by('orchestrator/wire.test.ts', 'offers no slots of a pool that is not ready'),
  },
  {
    ids: ['ORCH-3011', 'OC-POOL-3020'],
    asks: 'Device masks are explicit and never spill.',
    code: ['src/machines/policies/match-devices.ts', 'src/engines/llamacpp/plan.ts'],
    tests: by('machines/match-devices.test.ts', 'never spill: a match is exactly the cards named, for any devices on any machine'),
  },
  {
    ids: ['OC-POOL-3021', 'ORCH-3052'],
    asks: 'Ratios of splits are explicit, opt-in, and bounded by the smallest GPU.',
    code: ['src/machines/policies/ledger.ts', 'src/config/pool-schema.ts'],
    tests: [
      ...by('machines/ledger.test.ts', 'splits over several cards evenly, or as tensor_split says, and refuses a share that does not fit its card'),
      ...by('engines/llamacpp.test.ts', 'splits layers over several GPUs, by the shares of the spec'),
    ],
  },
  {
    ids: ['ORCH-3016'],
    asks: 'A stuck engine is noticed, by limits of time and of standing still.',
    code: ['src/actors/watch-start.ts', 'src/actors/probe/standstill.ts'],
    tests: [
      ...by('actors/engine-life.test.ts', 'says once that nothing moves'),
      ...by('actors/probe-health.test.ts', 'is wedged once its work has stood still for long, and not a moment while it moves'),
    ],
  },
  {
    ids: ['ORCH-3017'],
    asks: 'Ended work frees its slot at once in what is reported.',
    code: ['src/actors/probe-health.ts'],
    tests: by('machines/pool/serving.ts', 'the node hears when the last slot is taken and when one is free again, and of nothing in between'),
  },
  {
    ids: ['ORCH-3018', 'OC-POOL-3012'],
    asks: 'No inference on the CPU: without a GPU nothing is started.',
    code: ['src/gpu/no-gpu.ts', 'src/engines/llamacpp/residency.ts'],
    tests: [
      ...by('gpu/no-gpu.test.ts', 'is refused with what was looked for'),
      ...by('engines/llamacpp.test.ts', 'is refused for an engine that cannot be pinned to its GPU'),
    ],
  },
  {
    ids: ['ORCH-3027'],
    asks: 'Log lines carry engine, version, pool, mask, restarts, backoff, last error and correlation id.',
    code: ['src/observe/log-lines.ts', 'src/http/gate/gate.ts'],
    tests: by('observe/log-lines.test.ts', 'is JSON with level, time, node, part and the pool in the words of the API', 'says when the next try is'),
    missing: 'replica_id in log lines',
  },
  {
    ids: ['ORCH-3028', 'OC-POOL-3030'],
    asks: 'Metrics of starts, GPUs, memory and restarts.',
    code: ['src/observe/metric-definitions.ts'],
    tests: by(
      'observe/metrics.test.ts',
      'say what the views say, in base units, with the node on every series',
      'count restarts, forced drains, probes, handoff files and heartbeats by their outcome',
    ),
    missing: 'driver resets are not counted',
  },
  {
    ids: ['ORCH-3030', 'OC-CONFIG-6001'],
    asks: 'Configuration is normative; unknown keys are refused.',
    code: ['src/config/pool-schema.ts', 'src/config/check-shape.ts'],
    tests: by('config/pools-file.test.ts', 'are told at once, in the order of the file, rules between keys included'),
  },
  {
    ids: ['ORCH-3038', 'OC-POOL-3010'],
    asks: 'CUDA and driver errors: unready, restarted with backoff; drain and reload are atomic and reversible.',
    code: ['src/machines/policies/restart.ts', 'src/machines/pool/states/draining.ts'],
    tests: [
      ...by('machines/restart.test.ts', 'is twice as long where CUDA or the driver is to blame, within the same cap'),
      ...by('machines/pool/draining.ts', 'can be taken back while it empties, and then the pool serves as before'),
      ...by('machines/pool/reloading.ts', 'drains the old engine, starts the new one and says so when it is ready'),
      ...by('e2e/blue-green.test.ts', 'refuses no request, forth and back, and leaves one engine'),
    ],
  },
  {
    ids: ['OC-POOL-3011'],
    asks: 'Restart storms are bounded by backoff and a breaker.',
    code: ['src/machines/policies/restart.ts', 'src/machines/policies/storm.ts'],
    tests: [
      ...by('machines/restart.test.ts', 'opens at the eighth start within ten minutes, and not at the seventh'),
      ...by('machines/node.test.ts', 'of restarts gathers to a storm and calms down'),
    ],
  },
  {
    ids: ['ORCH-3037', 'ORCH-3097', 'MODP-5502'],
    asks: 'Checksums that are given are verified before use.',
    code: [],
    tests: [],
    missing: 'nothing is fetched yet: engines and models are on disk already',
  },
  {
    ids: ['ORCH-3039', 'ORCH-3053'],
    asks: 'VRAM that ran out is told apart from host memory; driver resets and ECC errors stand out.',
    code: ['src/engines/exit-reasons.ts', 'src/os/oom-kill.ts'],
    tests: [
      ...by('engines/exits.test.ts', 'is given its reason, by the line that tells it'),
      ...by('actors/ending.test.ts', 'by the kernel for want of host memory is told from one for want of VRAM'),
    ],
    missing: 'driver resets and ECC errors',
  },
  {
    ids: ['ORCH-3044'],
    asks: 'Public routes are versioned.',
    code: ['src/http/router.ts', 'src/http/openapi/document.ts'],
    tests: by('http/description.test.ts', 'has every route'),
  },
  {
    ids: ['ORCH-3045', 'ORCH-3046'],
    asks: 'Determinism can be had: a pinned engine and model, one slot.',
    code: ['src/engines/user-flags.ts'],
    tests: by('engines/llamacpp.test.ts', 'may be given sampling, batching and cache types'),
    missing: 'pins of engine version and model digest',
  },
  {
    ids: ['ORCH-3200', 'ORCH-3201', 'ORCH-3202', 'ORCH-3203', 'ORCH-3204', 'ORCH-3205', 'ORCH-3206', 'ORCH-3207'],
    asks: 'Provisioning in five modes, or failure with guidance; ready only after it.',
    code: ['src/actors/provision-engine.ts', 'src/actors/provision-model.ts'],
    tests: [
      ...by('actors/provision.test.ts', 'is looked for on the PATH'),
      ...by('provisioning/install-engine.test.ts', 'is fetched, unpacked, asked what it can do, and found as it is from then on'),
      ...by('provisioning/build-source.test.ts', 'is checked out, built for the GPUs that there are, tested, and used again'),
      ...by('provisioning/install-package.test.ts', 'is installed into an environment of its own, tested, and used again as it is'),
      ...by('system/containers.test.ts', 'is pulled by its digest, asked inside what it can do, and remembered'),
      ...by('machines/pool/starting.ts', 'what cannot be provisioned ends by its reason'),
    ],
  },
  {
    ids: ['ORCH-3800–3832', '§2.13'],
    asks: 'Weights, KV cache and activations wholly in VRAM; no unified memory and no offload.',
    code: ['src/engines/llamacpp/residency.ts', 'src/actors/prove-readiness.ts', 'src/engines/llamacpp/denied.ts'],
    tests: [
      ...by(
        'engines/llamacpp.test.ts',
        'is proven by layers, weights and KV cache on the GPU, with the lines as evidence',
        'is violated by a layer or a cache elsewhere',
        'is not proven by anything less',
        "inherits nothing of the daemon's environment",
      ),
      ...by('actors/prove-readiness.test.ts', 'is ready with every proof, slots reduced to what it reports'),
    ],
    missing: 'measured growth of VRAM on a real card',
  },
  {
    ids: ['ORCH-3970', 'ORCH-3971', 'ORCH-3972'],
    asks: 'The node publishes VRAM, compute capability, masks and draining, fresh.',
    code: ['src/orchestrator/wire.ts', 'src/machines/node/view.ts'],
    tests: [
      ...by('orchestrator/wire.test.ts', 'carries the documented fields'),
      ...by('machines/node.test.ts', 'becomes a heartbeat when readiness, draining or being full changes, and only then'),
    ],
  },
  {
    ids: ['MODP-5501', 'MODP-5503', 'MODP-5504', 'MODP-5505', 'MODP-5506'],
    asks: 'References of models are resolved; the handoff names the model; provenance is kept.',
    code: ['src/actors/provision-model.ts', 'src/actors/announce-handoff.ts'],
    tests: [
      ...by('actors/provision.test.ts', 'is a path, absolute, relative to the pools file, or as a file URL'),
      ...by('actors/watch-handoffs.test.ts', 'The handoff of our own engine is written, seen and says whose it is'),
    ],
    missing: 'context length from the file, provenance, references that are no paths',
  },
  {
    ids: ['AUTH-1001', 'AUTH-1002', 'AUTH-1003', 'AUTH-1004', 'AUTH-1005', 'AUTH-1006', 'AUTH-1007', 'AUTH-1008'],
    asks: 'One bearer token, required beyond loopback, compared in constant time, never logged.',
    code: ['src/http/gate/credentials.ts', 'src/config/token-rules.ts'],
    tests: [
      ...by(
        'http/access.test.ts',
        'shuts %s',
        'writes no token into its log',
        'serves nobody on an address that others reach',
        'names the token that let a request in by its fingerprint',
      ),
      ...by('e2e/token.test.ts', 'is in the log as a fingerprint, at the start and with each request it let in, and in no file at all'),
      ...by('config/environment.test.ts', 'is required where other machines reach the API, and the line says what to set'),
    ],
    missing: 'constant time is by construction, not measured',
  },
  {
    ids: ['CLOUD-1001–1022', 'CLOUD-10001–10022'],
    asks: 'HTTP only, one daemon per machine; the network fails with timeouts and retries; a partitioned node serves on.',
    code: ['src/machines/registration/machine.ts', 'src/orchestrator/client.ts'],
    tests: [
      ...by('machines/registration.test.ts', 'tries again after 1, 2, 4 … 30 s, each shortened by at most a fifth, and never gives up'),
      ...by('e2e/control-plane.test.ts', 'may be down, slow, broken or lying: engines serve on, and the node registers again'),
    ],
  },
  {
    ids: ['CLOUD-2001–2022'],
    asks: 'Registration at the start, heartbeats, deregistration at the end.',
    code: ['src/actors/register-node.ts', 'src/actors/send-heartbeat.ts', 'src/actors/deregister-node.ts'],
    tests: [
      ...by('orchestrator/registration.test.ts', 'registers, reports readiness, and tells a change of it within 500 ms', 'says good-bye'),
      ...by('orchestrator/client.test.ts', 'gives up a heartbeat after a second'),
    ],
  },
  {
    ids: ['CLOUD-3001–3022'],
    asks: 'The node watches handoff files itself; readiness goes out by heartbeat.',
    code: ['src/actors/watch-handoffs.ts'],
    tests: by(
      'actors/watch-handoffs.test.ts',
      'that is there already is seen, and one that comes is seen within milliseconds, not at the next rescan',
    ),
  },
  {
    ids: ['CLOUD-4001–4033'],
    asks: 'Auth between services, TLS, rotation of the token without a restart.',
    code: ['src/http/gate/credentials.ts', 'src/config/token.ts', 'src/orchestrator/target.ts'],
    tests: [
      ...by('http/access.test.ts', 'takes the new token as soon as it has changed, and the old one no more'),
      ...by('config/environment.test.ts', 'over plain http is refused on another machine unless that is allowed'),
    ],
    missing: 'serving TLS',
  },
  {
    ids: ['CLOUD-5001–5022'],
    asks: 'The node reports which models it has.',
    code: ['src/orchestrator/wire.ts'],
    tests: by('orchestrator/wire.test.ts', 'carries the documented fields, ours besides, and how long ago the engine was last asked'),
    missing: 'models on disk that no pool serves',
  },
  {
    ids: ['CLOUD-7001–7032'],
    asks: 'Metrics with the node on every series; correlation and trace ids.',
    code: ['src/observe/metrics.ts', 'src/http/gate/correlation.ts'],
    tests: [
      ...by('observe/metrics.test.ts', 'say what the views say, in base units, with the node on every series'),
      ...by('http/problems.test.ts', 'has a correlation id of its own', 'returns the id that it was given, at %s'),
    ],
    missing: 'traces',
  },
];
