/** What one Xid asks for, given what came before it on the same card. Pure. */
import type { Cause, XidReport } from '../vocabulary.ts';
import { type XidAct, xidRow } from './xids.ts';

export interface XidNote {
  readonly code: number;
  readonly mono: number;
  readonly poolId: string | null;
}

/** `cleared`: the driver says that nothing is to be done any more. `watch`: nobody knows this number; the card is looked at. */
export type XidVerdict = Exclude<XidAct, 'restartNamed'> | 'cleared' | 'watch';

const dayMs = 24 * 60 * 60 * 1000;

export const xidVerdict = (report: XidReport, earlier: readonly XidNote[], mono: number): XidVerdict => {
  const row = xidRow(report.code);
  if (row === null) return 'watch';
  if (row.act === 'told') return report.recovery === 'none' || report.recovery === null ? 'cleared' : 'told';
  if (row.onlyFatal === true && !report.fatal) return 'note';
  if (row.act === 'restartNamed') return report.process?.poolId != null && report.follows === null ? 'restart' : 'note';
  if (row.act !== 'restart') return row.act;
  const same = [
    ...earlier.filter(({ code, mono: then }) => code === report.code && mono - then <= dayMs),
    { poolId: report.process?.poolId ?? null },
  ];
  const { times, pools } = row.repeated ?? { times: Number.POSITIVE_INFINITY, pools: 1 };
  return same.length >= times && new Set(same.map(({ poolId }) => poolId)).size >= pools ? 'reset' : 'restart';
};

const advice: Readonly<Partial<Record<XidVerdict, string>>> = {
  restart: 'what ran there is dead and is started again',
  link: 'pools of several GPUs do not use it until the driver says that nothing is to be done',
  later: 'a reset of the GPU makes it effective: do it when nothing uses the card',
  reset: 'nothing is put there until it was reset: nvidia-smi --gpu-reset -i <index>, once nothing uses it',
  reboot: 'nothing is put there until the machine was rebooted',
  lost: 'reboot the machine, and check the power and the seating of the card if it happens again',
  told: "see the driver's recovery action",
  watch: 'this version does not know this number: see the release notes of the driver',
};

export const describeXid = ({ code, text }: XidReport, verdict: XidVerdict): string => {
  const means = xidRow(code)?.means ?? 'an error';
  const todo = advice[verdict];
  return `Xid ${code}: ${means}${todo === undefined ? '' : `; ${todo}`} (the kernel said: ${text})`;
};

export const causeOfXid = (report: XidReport, verdict: XidVerdict): Cause => ({
  code: codes[verdict] ?? 'gpu_unhealthy',
  message: describeXid(report, verdict),
  details: { xid: report.code, pid: report.process?.pid ?? null },
});

const codes: Readonly<Partial<Record<XidVerdict, Cause['code']>>> = { restart: 'cuda_error', reset: 'gpu_reset_required', lost: 'gpu_lost' };
