/** What a registration remembers, and how it begins. Types and the first value; nothing is decided here. */
import { beatInterval } from '../policies/heartbeat.ts';
import type { Stamp } from '../vocabulary.ts';
import type { CallOutcome } from './actors.ts';

export interface RegistrationInput {
  /** False: there is no orchestratord; the machine stays `disabled`. */
  readonly enabled: boolean;
  readonly orchestratorUrl: string | null;
  /** False: registers only when told by `node.register` or `node.heartbeat`. */
  readonly registerOnStartup: boolean;
  /** Used until the server names its own interval. */
  readonly heartbeatIntervalMs: number;
  /** Seed of the jitter. */
  readonly nodeId: string;
}

export type CallKind = 'register' | 'heartbeat' | 'deregister';

type WithoutStamp<Outcome> = Outcome extends unknown ? Omit<Outcome, keyof Stamp> : never;

/** The latest call that ended. Whoever asked for one waits until `number` grows. */
export interface LastCall {
  readonly kind: CallKind;
  readonly outcome: WithoutStamp<CallOutcome>;
  /** Calls that ended so far. */
  readonly number: number;
}

export interface RegistrationContext extends RegistrationInput {
  readonly lastCall: LastCall | null;
  /** When the latest call ended; null: none did. */
  readonly lastEndMono: number | null;
  /** The latest registration or heartbeat that was accepted. */
  readonly lastSuccess: Stamp | null;
  /** Failures in a row since the last accepted heartbeat. */
  readonly attempt: number;
  readonly lastError: string | null;
  /** Heartbeats sent. */
  readonly sequence: number;
  /** As the server wishes, within bounds. */
  readonly intervalMs: number;
  /** The server has taken a heartbeat since the latest registration. */
  readonly proven: boolean;
  /** What has to be said as soon as the present call and the quiet time after it are over. */
  readonly owed: 'register' | 'heartbeat' | null;
}

export const initialContext = (input: RegistrationInput): RegistrationContext => ({
  ...input,
  lastCall: null,
  lastEndMono: null,
  lastSuccess: null,
  attempt: 0,
  lastError: null,
  sequence: 0,
  intervalMs: beatInterval(input.heartbeatIntervalMs),
  proven: false,
  owed: null,
});
