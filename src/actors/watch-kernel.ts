/**
 * Tells the node of each Xid that the kernel says from now on, with the pool whose engine it names, and whether the kernel's log
 * can be read at all.
 *
 * The same error of the same process within five seconds is told once: a card in trouble says it thousands of times. What the
 * driver's own events tell (NVML) is for what the log does not say, since the log says more. Undo: both are let go of.
 */
import { readlinkSync } from 'node:fs';
import { fromCallback } from 'xstate';
import { stamp } from '../clock.ts';
import { driverSpelling } from '../gpu/pci-address.ts';
import type { DriverXid, GpuSource } from '../gpu/source.ts';
import { type KernelXid, mayTellXid, readXid } from '../gpu/xid-line.ts';
import type { KernelEvent } from '../machines/events.ts';
import type { nodeActors } from '../machines/node/actors.ts';
import type { Cause, XidReport } from '../machines/vocabulary.ts';
import { followKernelLog, type Standing } from '../os/follow-kernel-log.ts';
import type { Owners } from './name-owners.ts';

export interface WatchKernelDeps {
  /** Null: cards are simulated, and the kernel knows nothing of them. */
  readonly kernelLog: string | null;
  readonly owners: Owners;
  /** Where the cards are read; it may tell Xids as well. */
  readonly source?: Pick<GpuSource, 'listen'>;
  /** For tests. */
  readonly journalctl?: string;
  /** Whether pids in the kernel's log are those that are seen here; by default as it is. */
  readonly seesItsPids?: boolean;
}

const onceWithinMs = 5_000;
const mostKept = 512;
/** By then the log, which is looked at four times a second, has said it too. */
const logIsFirstMs = 1_000;

export const watchKernel = (deps: WatchKernelDeps): typeof nodeActors.watchKernel =>
  fromCallback<{ readonly type: 'kernel.none' }, Record<string, never>>(({ sendBack }) => {
    const { kernelLog } = deps;
    if (kernelLog === null) return;
    const isNew = keepOnce();
    const seesItsPids = deps.seesItsPids ?? isFirstPidNamespace();
    let stopped = false;
    let inOrder = Promise.resolve();
    const tell = (event: KernelEvent): void => {
      if (!stopped) sendBack(event);
    };
    const report = (xid: KernelXid): void => {
      if (!isNew(xid)) return;
      // One after the other: what the driver says is to be done follows the error.
      inOrder = inOrder.then(async () => tell({ type: 'kernel.xid', report: await withProcess(xid, seesItsPids ? deps.owners : null), ...stamp() }));
    };

    const said = keepSaid();
    const waiting = new Set<NodeJS.Timeout>();
    let isFollowed = false;
    const hear = (xid: DriverXid): void => {
      const told = fromEvent(xid);
      if (!isFollowed) report(told);
      if (!isFollowed || waiting.size >= mostKept) return;
      const timer = setTimeout(() => {
        waiting.delete(timer);
        if (!said.lately(told)) report(told);
      }, logIsFirstMs);
      waiting.add(timer);
    };
    const deaf = deps.source?.listen?.(hear);

    const stop = followKernelLog({
      file: kernelLog,
      ...(deps.journalctl !== undefined && { journalctl: deps.journalctl }),
      wanted: mayTellXid,
      onMessage: ({ text }) => {
        const xid = readXid(text);
        if (xid === null) return;
        said.note(xid);
        report(xid);
      },
      onStanding: (standing) => {
        isFollowed = standing.way !== 'none';
        tell({ type: 'kernel.followed', cause: causeFrom(standing), ...stamp() });
      },
    });
    return () => {
      stopped = true;
      for (const timer of waiting) clearTimeout(timer);
      deaf?.();
      stop();
    };
  });

/** Which errors of which cards the log has said, whatever else it said of them. */
const keepSaid = () => {
  const said = new Map<string, number>();
  const keyOf = ({ code, pciAddress }: Pick<KernelXid, 'code' | 'pciAddress'>): string => `${pciAddress} ${code}`;
  return {
    note: (xid: KernelXid): void => {
      if (said.size >= mostKept) said.clear();
      said.set(keyOf(xid), stamp().mono);
    },
    lately: (xid: KernelXid): boolean => stamp().mono - (said.get(keyOf(xid)) ?? -Infinity) < onceWithinMs,
  };
};

const fromEvent = ({ code, pciAddress, gpuInstanceId }: DriverXid): KernelXid => ({
  code,
  pciAddress: driverSpelling(pciAddress) ?? pciAddress,
  gpuInstanceId,
  pid: null,
  recovery: null,
  follows: null,
  fatal: false,
  text: `Xid ${code} of GPU ${pciAddress}, told by the driver's events (NVML)`,
});

const keepOnce = (): ((xid: KernelXid) => boolean) => {
  const said = new Map<string, number>();
  return ({ code, pciAddress, gpuInstanceId, pid, recovery }) => {
    const key = [pciAddress, gpuInstanceId, code, pid, recovery].join(' ');
    const { mono } = stamp();
    const before = said.get(key);
    if (before !== undefined && mono - before < onceWithinMs) return false;
    said.delete(key);
    said.set(key, mono);
    for (const oldest of said.keys()) {
      if (said.size <= mostKept) break;
      said.delete(oldest);
    }
    return true;
  };
};

/** `owners`: null: the kernel's pids are not those that are seen here. Never rejects. */
const withProcess = async ({ pid, ...xid }: KernelXid, owners: Owners | null): Promise<XidReport> => {
  if (pid === null || owners === null) return { ...xid, process: null };
  const known = await owners().catch(() => null);
  return { ...xid, process: known === null ? null : { pid, poolId: known.get(pid) ?? null } };
};

/** Elsewhere, in a container, the kernel's pids mean nothing. */
const isFirstPidNamespace = (): boolean => {
  try {
    return readlinkSync('/proc/self/ns/pid') === 'pid:[4026531836]';
  } catch {
    return false;
  }
};

const causeFrom = (standing: Standing): Cause | null =>
  standing.way === 'none'
    ? { code: 'driver_error', message: `errors of GPUs (Xids) are seen only by what they do to engines, and where NVML tells them: ${standing.why}` }
    : null;
