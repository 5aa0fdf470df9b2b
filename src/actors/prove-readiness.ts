/**
 * Shows that an engine may be sent work, each proof with its own deadline; the first that fails is named in the Failure.
 *
 * managed: listener ours, health, progress, one token, residency. adopted: the recorded proof, listener, progress (it may be
 * busy, so no token). attached: health only. Changes nothing; undo: stops asking.
 */
import { open } from 'node:fs/promises';
import { fromPromise } from 'xstate';
import { assertNever, CauseError, causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { EngineAdapter } from '../engines/adapter.ts';
import { adapterFor } from '../engines/index.ts';
import type { Failure, ProveInput, poolActors } from '../machines/pool/actors.ts';
import type { Cause, Load, Proof, Residency, RunRecord, Stamp } from '../machines/vocabulary.ts';
import { type EngineLine, overOneLine } from './ask-engine.ts';
import { probeEndpoint } from './probe/endpoint-of.ts';
import { type ProbeDeps, probeOnce } from './probe/probe-once.ts';
import { measureResidency, type ResidencyDeps } from './probe/residency.ts';

export interface ProveReadinessDeps extends ProbeDeps {
  /** Lines of the engine's output from its start; default: the first MiB of the run's log file. */
  readonly readLog?: (run: RunRecord) => Promise<readonly string[]>;
  /** How to measure what its processes hold, freshly; absent: its output is all the proof there is. */
  readonly residency?: ResidencyDeps;
  /** Told what the processes of a proven engine hold. */
  readonly learn?: (run: RunRecord, vramBytes: number) => void;
}

/** A first token may wait for kernels to be compiled and graphs to be captured. */
const tokenDeadlineMs = 60_000;
const logBytes = 1024 * 1024;

type ProofName = 'listener' | 'health' | 'token' | 'residency' | 'record';

export const proveReadiness = (deps: ProveReadinessDeps): typeof poolActors.proveReadiness =>
  fromPromise<Proof & Stamp, ProveInput>(async ({ input, signal }) => {
    try {
      return { ...(await prove(input, deps, signal)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'health_failed'), ...stamp() } satisfies Failure;
    }
  });

const prove = async (input: ProveInput, deps: ProveReadinessDeps, signal: AbortSignal): Promise<Proof> => {
  const { run, mode } = input;
  const adapter = adapterFor(run.engine);
  switch (mode) {
    case 'managed':
      return proveManaged(run, adapter, deps, signal);
    case 'adopted':
      return proveAdopted(run, input.proof, deps, signal);
    case 'attached':
      return { ...proofOf(run, await overLine(run, (line) => proveHealth(run, line, deps, signal))), residency: 'unproven', evidence: [] };
    default:
      return assertNever(mode);
  }
};

const proveManaged = async (run: RunRecord, adapter: EngineAdapter, deps: ProveReadinessDeps, signal: AbortSignal): Promise<Proof> => {
  await proveListener(run, deps);
  const { load, firstTokenMs } = await overLine(run, async (line) => ({
    load: await proveHealth(run, line, deps, signal),
    firstTokenMs: await proveToken(run, line, adapter, deps, signal),
  }));
  return { ...proofOf(run, load), ...(await proveResidency(run, adapter, deps)), firstTokenMs };
};

const proveAdopted = async (run: RunRecord, proof: Proof | null, deps: ProveReadinessDeps, signal: AbortSignal): Promise<Proof> => {
  if (proof === null) throw refuted('record', 'identity_mismatch', 'expected the proof recorded before the daemon restarted, found none');
  await proveListener(run, deps);
  const load = await overLine(run, (line) => proveHealth(run, line, deps, signal));
  return { ...proof, slotsTotal: fewest(proof.slotsTotal, load.slotsTotal) };
};

const proveListener = async (run: RunRecord, deps: ProveReadinessDeps): Promise<void> => {
  const owner = await deps.listenerOwner(run);
  if (owner === 'ours') return;
  const found = { foreign: 'a listener of another process', none: 'nobody listening', unknown: 'a listener whose process cannot be told' }[owner];
  throw refuted(
    'listener',
    owner === 'none' ? 'health_failed' : 'port_conflict',
    `expected our engine (pid ${run.pid}) on port ${run.port}, found ${found}`,
  );
};

const overLine = <T>(run: RunRecord, work: (line: EngineLine) => Promise<T>): Promise<T> => overOneLine(probeEndpoint(run), work);

/** Health and progress, by the same probe that watches it afterwards. */
const proveHealth = async (run: RunRecord, line: EngineLine, deps: ProveReadinessDeps, signal: AbortSignal): Promise<Load> => {
  const probe = await probeOnce(run, deps, { emptying: false, signal, line });
  if (probe.kind === 'passed') return probe.load;
  if (probe.kind === 'loading') throw refuted('health', 'health_failed', 'expected a healthy engine, found it still loading');
  throw refuted('health', probe.cause.code, probe.cause.message);
};

const proveToken = async (
  run: RunRecord,
  line: EngineLine,
  adapter: EngineAdapter,
  deps: ProveReadinessDeps,
  signal: AbortSignal,
): Promise<number | null> => {
  const ask = adapter.token?.ask(run.spec, run.model) ?? null;
  if (ask === null || adapter.token === null) return null;
  const begun = stamp().mono;
  const asked = await line.ask(ask, { deadlineMs: tokenDeadlineMs, apiKey: await deps.readApiKey(run), signal });
  if (asked.kind !== 'answer') {
    const found = asked.kind === 'error' ? asked.message : asked.kind === 'timeout' ? `none within ${tokenDeadlineMs} ms` : 'nobody listening';
    throw refuted('token', 'health_failed', `expected one token from ${ask.path}, found ${found}`);
  }
  const verdict = adapter.token.read(asked.answer);
  if (verdict !== true) throw refuted('token', verdict.code, verdict.message);
  return stamp().mono - begun;
};

const proveResidency = async (
  run: RunRecord,
  adapter: EngineAdapter,
  deps: ProveReadinessDeps,
): Promise<{ readonly residency: Residency; readonly evidence: readonly string[] }> => {
  const { verdict, evidence } = adapter.residency(await (deps.readLog ?? readStart)(run), run);
  if (run.simulated) return { residency: 'simulated', evidence };
  const measured = deps.residency === undefined ? nothingMeasured : await measureResidency(run, deps.residency);
  if (measured.violation !== null) {
    const { message } = measured.violation;
    throw refuted('residency', 'residency_violation', message, [...evidence, ...measured.evidence]);
  }
  if (verdict === 'proven') {
    if (measured.vramBytes !== null) deps.learn?.(run, measured.vramBytes);
    return { residency: verdict, evidence: [...evidence, ...measured.evidence] };
  }
  const found =
    verdict === 'violated'
      ? `some of it elsewhere: ${evidence.join(' | ').slice(0, 1000)}`
      : 'no line in its output that shows it; what its processes hold is too coarse a measure to stand for that';
  throw refuted('residency', 'residency_violation', `expected weights and KV cache wholly in VRAM, found ${found}`, evidence);
};

const nothingMeasured = { violation: null, vramBytes: null, evidence: [] };

const readStart = async ({ logFile }: RunRecord): Promise<readonly string[]> => {
  const file = await open(logFile, 'r');
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(logBytes), position: 0 });
    return buffer.toString('utf8', 0, bytesRead).split('\n');
  } finally {
    await file.close();
  }
};

const proofOf = (run: RunRecord, load: Load): Omit<Proof, 'residency' | 'evidence'> => ({
  slotsTotal: fewest(run.spec.slots, load.slotsTotal),
  engineVersion: run.engineVersion,
  modelsAvailable: [run.model.id],
  firstTokenMs: null,
});

/** What was asked for, reduced to what the engine reports. */
const fewest = (asked: number | null, reported: number | null): number | null =>
  asked === null || reported === null ? (reported ?? asked) : Math.min(asked, reported);

const refuted = (proof: ProofName, code: Cause['code'], message: string, evidence: readonly string[] = []): CauseError =>
  new CauseError({ code, message: `${proof} not proven: ${message}`, details: { proof, ...(evidence.length === 0 ? {} : { evidence }) } });
