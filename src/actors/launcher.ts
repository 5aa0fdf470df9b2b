/**
 * How an engine process is started, watched and ended. Two launchers stand behind this interface: `detached` (own session,
 * exit seen through a FIFO) and `systemd` (own unit).
 */
import type { LaunchPlan } from '../engines/adapter.ts';
import type { EngineExit, RunRecord } from '../machines/vocabulary.ts';

/** A Cause is thrown as `CauseError`; nothing is left running when start() fails. */
export interface Launcher {
  readonly name: RunRecord['launcher'];
  /** `makeRecord` is called with the pid before the engine can run its first instruction that matters; the record is on disk before start() returns. */
  start(
    plan: LaunchPlan,
    run: Omit<RunRecord, 'pid' | 'startTime' | 'unit' | 'invocationId' | 'launcher' | 'exitFifo' | 'startedAt' | 'startedMono'>,
  ): Promise<RunRecord>;
  /** Calls back once when the engine has ended, also when it ended before; the returned function stops watching and touches nothing. */
  watch(run: RunRecord, onExit: (exit: EngineExit) => void): () => void;
  /** Ends the whole tree: signal once, grace, KILL. Resolves when nothing of it is left, or with the survivors. */
  stop(
    run: RunRecord,
    options: { readonly signal: 'SIGTERM' | 'SIGINT'; readonly graceMs: number; readonly killWaitMs: number },
  ): Promise<StopOutcome>;
  /** Whether the recorded process is alive and is the one recorded. */
  identify(run: RunRecord): Promise<'ours' | 'gone' | 'stranger'>;
}

export interface StopOutcome {
  /** Pids that would not die; empty when the tree is gone. */
  readonly survivors: readonly number[];
  /** KILL had to be used. */
  readonly killed: boolean;
  readonly exit: EngineExit | null;
}
