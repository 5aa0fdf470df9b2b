/**
 * How an engine process is started, watched and ended. Three launchers stand behind this interface: `detached` (own session,
 * exit seen through a FIFO), `systemd` (own unit) and `container` (of podman or docker).
 */
import type { LaunchPlan } from '../engines/adapter.ts';
import type { EngineExit, RunRecord } from '../machines/vocabulary.ts';

/** What is known of a run before it has a process. */
export type RunFacts = Omit<RunRecord, 'pid' | 'startTime' | 'unit' | 'invocationId' | 'launcher' | 'exitFifo' | 'startedAt' | 'startedMono'>;

export interface Launcher {
  readonly name: RunRecord['launcher'];
  /**
   * Its record is on disk before the engine's first instruction runs. Throws CauseError; nothing is then left, neither process
   * nor record.
   */
  start(plan: LaunchPlan, facts: RunFacts): Promise<RunRecord>;
  /** Calls back once when the engine has ended, also when it ended before; the returned function stops watching and touches nothing. */
  watch(run: RunRecord, onExit: (exit: EngineExit) => void): () => void;
  /** Ends the whole tree: signal once, grace, KILL. Resolves when nothing of it is left, or with the survivors. Twice at once is once. */
  stop(run: RunRecord, options: StopOptions): Promise<StopOutcome>;
  /** ours: alive and the one recorded. gone: ended, though some of its tree may be left. stranger: somebody else has its pid. */
  identify(run: RunRecord): Promise<'ours' | 'gone' | 'stranger'>;
  /** Removes what the launcher keeps for a run whose tree is gone, or is not ours. Sends no signal. */
  forget(run: RunRecord): Promise<void>;
}

export interface StopOptions {
  readonly signal: 'SIGTERM' | 'SIGINT';
  readonly graceMs: number;
  /** From KILL on, until survivors are reported. */
  readonly killWaitMs: number;
}

export interface StopOutcome {
  /** Pids that would not die; empty when the tree is gone. */
  readonly survivors: readonly number[];
  /** KILL had to be used. */
  readonly killed: boolean;
  /** Null: it has not ended. */
  readonly exit: EngineExit | null;
}
