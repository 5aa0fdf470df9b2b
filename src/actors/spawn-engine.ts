/**
 * Leases a port, plans, starts the process; ends with its record on disk. A start that fails leaves nothing.
 *
 * No undo: stopping this actor leaves the engine and its record, which the next daemon adopts.
 */
import { randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { fromPromise } from 'xstate';
import { CauseError, causeOf, isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { LaunchPlan } from '../engines/adapter.ts';
import { adapterFor } from '../engines/index.ts';
import { vramShare } from '../gpu/estimate/share.ts';
import type { Failure, poolActors, SpawnInput } from '../machines/pool/actors.ts';
import type { GpuRef, RunRecord, Stamp } from '../machines/vocabulary.ts';
import type { Shelf } from '../state/store.ts';
import { sidePortsOf } from './launch/band-of.ts';
import type { Ports } from './launch/ports.ts';
import type { Launcher } from './launcher.ts';

export interface SpawnEngineDeps {
  readonly ports: Ports;
  readonly launcher: Launcher;
  readonly runs: Shelf<RunRecord>;
  /** Makes the engine's log file and returns its path. */
  readonly createLog: (poolId: string, incarnation: string) => Promise<string>;
  readonly bootId: string;
  /** The GPUs are simulated: no device flags, no GPU environment. */
  readonly simulated: boolean;
  /** Memory of the largest of these GPUs or MIG slices, as last seen; null: not known. */
  readonly largestGpuBytes: (gpus: readonly GpuRef[]) => number | null;
  /** CPUs that are nearest to these GPUs; null: not known, and absent: not asked. */
  readonly cpusOf?: (gpus: readonly GpuRef[]) => readonly number[] | null;
  /** Where clients reach engines that listen on all interfaces. */
  readonly advertiseHost: string;
}

export const spawnEngine = (deps: SpawnEngineDeps): typeof poolActors.spawnEngine =>
  fromPromise<{ readonly run: RunRecord } & Stamp, SpawnInput>(async ({ input }) => {
    try {
      await refuseSecond(input.poolId, deps);
      return { run: await onLeasedPort(input, deps), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'engine_exited'), ...stamp() } satisfies Failure;
    }
  });

/** Two engines of one pool on one card would both be ruined. */
const refuseSecond = async (poolId: string, { runs, launcher }: SpawnEngineDeps): Promise<void> => {
  const earlier = await runs.read(poolId);
  if (earlier === null || (await launcher.identify(earlier)) !== 'ours') return;
  throw new CauseError({
    code: 'identity_mismatch',
    message: `expected no engine of ${poolId} before starting one, found pid ${earlier.pid} recorded and alive; drain the pool or end that process`,
    details: { pid: earlier.pid },
  });
};

const onLeasedPort = async (input: SpawnInput, deps: SpawnEngineDeps): Promise<RunRecord> => {
  const { poolId, spec } = input;
  const sides = sidePortsOf(spec);
  const port = await deps.ports.lease({ poolId, host: spec.host, ports: spec.ports, sides });
  try {
    const plan = planOf(input, port, deps);
    const incarnation = randomBytes(8).toString('hex');
    const logFile = await deps.createLog(poolId, incarnation);
    // Field by field where a wider value may come: the record's form is strict.
    return await deps.launcher.start(plan, {
      version: 1,
      poolId,
      incarnation,
      bootId: deps.bootId,
      host: spec.host,
      port,
      endpoint: endpointOf(spec.host, port, deps.advertiseHost),
      engine: spec.engine,
      engineVersion: input.engine.version,
      model: { id: input.model.id, path: input.model.path, bytes: input.model.bytes },
      spec,
      specHash: input.specHash,
      gpus: input.gpus.map(({ index, uuid }) => ({ index, uuid })),
      reservedBytes: input.reservedBytes,
      simulated: deps.simulated,
      logFile,
    });
  } catch (thrown) {
    deps.ports.release({ poolId, port, sides });
    throw thrown;
  }
};

const planOf = (input: SpawnInput, port: number, { simulated, largestGpuBytes, cpusOf }: SpawnEngineDeps): LaunchPlan => {
  const { spec, engine, model, gpus, reservedBytes } = input;
  const adapter = adapterFor(spec.engine);
  const vram = vramShare(spec, model, { reservedBytes, gpuCount: gpus.length, totalBytes: largestGpuBytes(gpus) });
  const plan = adapter.plan({ spec, engine, model, gpus, simulated, port, sidePort: sidePortsOf(spec) === 0 ? null : port + 1, vram });
  if (isCause(plan)) throw new CauseError(plan);
  const cpus = spec.cpu_affinity === 'gpu' ? (cpusOf?.(gpus) ?? null) : null;
  return cpus === null ? plan : { ...plan, cpus };
};

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', '']);

const endpointOf = (host: string, port: number, advertiseHost: string): string => {
  const bare = host.replace(/^\[|\]$/g, '');
  const told = wildcards.has(bare) ? advertiseHost.replace(/^\[|\]$/g, '') : bare;
  return `http://${isIPv6(told) ? `[${told}]` : told}:${port}`;
};
