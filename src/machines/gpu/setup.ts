/**
 * The words of the chart of a card: types, guards, delays and orders.
 *
 * Pure. All that leaves the machine are messages to the node; a card folded from a journal has none.
 */
import { assign, enqueueActions, setup } from 'xstate';
import type { GpuNotice, GpuReport } from '../events.ts';
import { causeOfXid, describeXid, type XidVerdict, xidVerdict } from '../policies/xid-verdict.ts';
import { xidRow } from '../policies/xids.ts';
import type { Cause, GpuFinding, GpuHealth, RecoveryAction, Stamp, XidReport } from '../vocabulary.ts';
import { type GpuContext, type GpuInput, standingOf } from './context.ts';

interface Args {
  readonly context: GpuContext;
  readonly event: GpuNotice;
}

/** Good looks in a row that bring a card back, and bad ones that make it unhealthy. */
export const goodLooks = 3;
const badLooks = 3;
/** The driver says what is to be done up to this long after the error. */
const settleMs = 3_000;
const mostNotes = 32;

/** A look that began before the latest error shows nothing of its end. */
const findingOf = ({ context, event }: { readonly context: GpuContext; readonly event: GpuNotice }): GpuFinding | null => {
  if (event.type !== 'gpu.checked') return null;
  const isLate = event.finding.kind === 'sound' && event.begunMono < (context.notes.at(-1)?.mono ?? Number.NEGATIVE_INFINITY);
  return isLate ? null : event.finding;
};

const stamped = ({ at, mono }: Stamp): { readonly stamp: Stamp } => ({ stamp: { at, mono } });

type Told = Stamp & { readonly report: XidReport; readonly verdict: XidVerdict };

/** The Xid that an event brings, and what it asks for, seen from before it was noted. */
const toldBy = ({ context, event }: { readonly context: GpuContext; readonly event: GpuNotice }): Told | null =>
  event.type === 'gpu.xid'
    ? { report: event.report, verdict: xidVerdict(event.report, context.notes, event.mono), at: event.at, mono: event.mono }
    : null;

/** The driver's word counts more than what an Xid says. */
const mayReturn = ({ demand, wasAway }: GpuContext, finding: GpuFinding | null): boolean =>
  finding?.kind === 'sound' && (demand === null || wasAway || finding.action === 'none');

export const gpu = setup({
  types: {} as { context: GpuContext; events: GpuNotice; input: GpuInput },
  guards: {
    finds: (args: Args, { kind }: { kind: GpuFinding['kind'] }) => findingOf(args)?.kind === kind,
    failsForGood: ({ context, event }: Args) => findingOf({ context, event })?.kind === 'failing' && context.bad + 1 >= badLooks,
    isWell: ({ context, event }: Args) => {
      const finding = findingOf({ context, event });
      return finding?.kind === 'sound' && context.good + 1 >= goodLooks && (context.linkCause === null || finding.action === 'none');
    },
    mayReturn: ({ context, event }: Args) => mayReturn(context, findingOf({ context, event })),
    /** By the latest look since the error. */
    mayReturnAfterAll: ({ context }: Args) => mayReturn(context, context.finding),
    xidSays: (args: Args, { one }: { one: readonly XidVerdict[] }) => {
      const told = toldBy(args);
      return told !== null && one.includes(told.verdict);
    },
  },
  delays: { settle: settleMs },
  actions: {
    beginCounting: assign({ finding: null, good: 0, bad: 0 }),
    countLook: assign(({ context, event }) => {
      const finding = findingOf({ context, event });
      return {
        ...stamped(event),
        finding,
        good: finding?.kind === 'sound' ? context.good + 1 : 0,
        bad: finding?.kind === 'failing' ? context.bad + 1 : 0,
      };
    }),
    blameLook: assign(({ context, event }) => {
      const finding = findingOf({ context, event });
      return { reason: finding === null || finding.kind === 'sound' ? context.reason : finding.cause };
    }),
    /** The driver names what is to be done. */
    takeDemand: assign(({ context, event }) => {
      const finding = findingOf({ context, event });
      if (finding?.kind !== 'demanding') return {};
      return { ...stamped(event), reason: finding.cause, demand: { action: finding.action, by: 'driver' as const }, finding, wasAway: false };
    }),
    /** What the kernel said of the loss says more. */
    noteAway: assign(({ context, event }) => {
      const finding = findingOf({ context, event });
      if (finding?.kind !== 'away') return {};
      return { ...stamped(event), finding, reason: context.reason?.code === 'gpu_lost' ? context.reason : finding.cause, wasAway: true };
    }),
    /** Before it is noted. Where the driver has said what is to be done, that stands. */
    blameXid: assign(({ context, event }) => {
      const told = toldBy({ context, event });
      if (told === null) return {};
      const reason = told.verdict === 'told' ? toldCause(told.report) : causeOfXid(told.report, told.verdict);
      const action = actions[told.verdict];
      return { reason, ...(action !== undefined && { demand: { action, by: 'xid' as const }, wasAway: false }) };
    }),
    noteXid: assign(({ context, event }) => {
      const told = toldBy({ context, event });
      if (told === null) return {};
      const { report, verdict, at, mono } = told;
      const recovery = verdict === 'told' && report.recovery !== 'none' ? report.recovery : null;
      return {
        stamp: { at, mono },
        notes: [...context.notes, { code: report.code, mono, poolId: report.process?.poolId ?? null }].slice(-mostNotes),
        lastXid: { code: report.code, message: describeXid(report, verdict), at },
        xids: context.xids + 1,
        ...(verdict === 'later' && { later: true }),
        ...(verdict === 'link' && { linkCause: causeOfXid(report, verdict) }),
        ...(recovery !== null && { demand: { action: recovery, by: 'driver' as const }, wasAway: false }),
        ...(verdict === 'cleared' && context.demand?.by === 'driver' && { demand: null }),
      };
    }),
    beWell: assign({ reason: null, linkCause: null, demand: null, wasAway: false, finding: null, good: 0, bad: 0 }),
    endDemand: assign(({ context }) => ({ demand: null, wasAway: false, later: false, linkCause: context.wasAway ? null : context.linkCause })),
    tell: enqueueActions(({ context, enqueue, self }, { health }: { health: GpuHealth }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'gpu.changed', standing: standingOf(context, health) } satisfies GpuReport);
    }),
    reportFault: enqueueActions(({ context, event, enqueue, self }) => {
      const told = toldBy({ context, event });
      if (told === null || !self._parent) return;
      const { report, verdict, at, mono } = told;
      const fault: GpuReport = { type: 'gpu.faulted', uuid: context.uuid, report, cause: causeOfXid(report, verdict), stamp: { at, mono } };
      enqueue.sendTo(self._parent, fault);
    }),
    /** A look says more than the Xid; not where the driver would hang over it. */
    askLook: enqueueActions(({ event, enqueue, self }) => {
      if (!self._parent || event.type !== 'gpu.xid' || xidRow(event.report.code)?.leaveAlone === true) return;
      enqueue.sendTo(self._parent, { type: 'gpu.lookWanted' } satisfies GpuReport);
    }),
  },
});

const actions: Readonly<Partial<Record<XidVerdict, RecoveryAction>>> = { reset: 'reset', reboot: 'reboot', lost: 'reboot' };

const toldCause = (report: XidReport): Cause => ({
  code: report.recovery === 'reset' || report.recovery === 'drain_and_reset' ? 'gpu_reset_required' : 'gpu_unhealthy',
  message: `the driver says what is to be done: ${report.text}`,
  details: { xid: report.code, recovery_action: report.recovery },
});
