/** One call to orchestratord and what comes back, as plain data. */

export type CallName = 'register' | 'heartbeat' | 'deregister';

export interface OrchestratorCall {
  readonly name: CallName;
  readonly nodeId: string;
  /** Null: no body is sent. */
  readonly body: object | null;
  /** Pools that this call says are draining. */
  readonly draining: readonly string[];
}

export interface Answered {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
}
