/** What is known of one card's health. Plain data, changed only by the assigns in `setup.ts`. */
import type { GpuStanding } from '../policies/gpu-standing.ts';
import type { XidNote } from '../policies/xid-verdict.ts';
import type { Cause, GpuFinding, GpuHealth, RecoveryAction, Stamp } from '../vocabulary.ts';

export interface GpuInput extends Stamp {
  readonly uuid: string;
}

/** What must come before the card is used again. */
export interface Demand {
  readonly action: RecoveryAction;
  /** An Xid's demand is over once the driver says that nothing is to be done, or once the card was away and is back. */
  readonly by: 'xid' | 'driver';
}

export interface GpuContext {
  readonly uuid: string;
  /** Why it is not healthy; null: it is. */
  readonly reason: Cause | null;
  readonly linkCause: Cause | null;
  readonly demand: Demand | null;
  /** Something a reset would make effective, whenever there is time for it. */
  readonly later: boolean;
  /** Of the latest look since the state was entered; null: there was none. */
  readonly finding: GpuFinding | null;
  /** Looks in a row that found it sound, and that could not read it. */
  readonly good: number;
  readonly bad: number;
  /** It was not there at some look since the demand arose. */
  readonly wasAway: boolean;
  readonly notes: readonly XidNote[];
  readonly lastXid: GpuStanding['lastXid'];
  readonly xids: number;
  /** Of the latest event; what a timer brings about has none of its own. */
  readonly stamp: Stamp;
}

export const initialContext = ({ uuid, at, mono }: GpuInput): GpuContext => ({
  uuid,
  reason: null,
  linkCause: null,
  demand: null,
  later: false,
  finding: null,
  good: 0,
  bad: 0,
  wasAway: false,
  notes: [],
  lastXid: null,
  xids: 0,
  stamp: { at, mono },
});

export const standingOf = (context: GpuContext, health: GpuHealth): GpuStanding => ({
  uuid: context.uuid,
  health,
  cause: context.reason,
  linkCause: context.linkCause,
  recommended: context.demand?.action ?? (context.later ? 'later' : null),
  lastXid: context.lastXid,
  xids: context.xids,
  stamp: context.stamp,
});
