/** Drives the real chart of a card on simulated time; what it tells its node is kept, by a small parent that only listens. */
import { createActor, type InspectionEvent, SimulatedClock, setup } from 'xstate';
import type { GpuReport } from '../../src/machines/events.ts';
import { gpuMachine } from '../../src/machines/gpu/machine.ts';
import type { GpuStanding } from '../../src/machines/policies/gpu-standing.ts';
import type { Cause, GpuFinding, XidReport } from '../../src/machines/vocabulary.ts';

export const xid = (code: number, facts: Partial<XidReport> = {}): XidReport => ({
  code,
  pciAddress: '00000000:01:00.0',
  gpuInstanceId: null,
  process: null,
  recovery: null,
  follows: null,
  fatal: false,
  text: `NVRM: Xid (PCI:0000:01:00): ${code}, told by a test`,
  ...facts,
});

const cause = (code: Cause['code']): Cause => ({ code, message: `${code}, as a test says` });

export const findings = {
  sound: { kind: 'sound', action: 'none' },
  soundForAllThatIsKnown: { kind: 'sound', action: 'unknown' },
  failing: { kind: 'failing', cause: cause('gpu_unhealthy') },
  away: { kind: 'away', cause: cause('gpu_lost') },
  demanding: { kind: 'demanding', action: 'reset', cause: cause('gpu_reset_required') },
} as const satisfies Readonly<Record<string, GpuFinding>>;

export const driveGpu = (inspect: (event: InspectionEvent) => void, alone = false) => {
  const clock = new SimulatedClock();
  const now = () => ({ at: 1_700_000_000_000 + clock.now(), mono: clock.now() });
  const reports: GpuReport[] = [];
  const input = { uuid: 'GPU-1', ...now() };
  const parent = setup({
    types: {} as { events: GpuReport },
    actors: { gpu: gpuMachine },
    actions: { keep: ({ event }) => void reports.push(event) },
  }).createMachine({
    id: 'parent',
    invoke: { id: 'gpu', src: 'gpu', input },
    on: { 'gpu.changed': { actions: 'keep' }, 'gpu.faulted': { actions: 'keep' }, 'gpu.lookWanted': { actions: 'keep' } },
  });
  const begin = () => {
    if (alone) return createActor(gpuMachine, { clock, inspect, input }).start();
    const child = createActor(parent, { clock, inspect }).start().getSnapshot().children.gpu;
    if (child === undefined) throw new Error('the parent invoked no card');
    return child;
  };
  const actor = begin();
  return {
    reports,
    where: () => actor.getSnapshot().value,
    context: () => actor.getSnapshot().context,
    told: (): GpuStanding => {
      const last = reports.findLast((report) => report.type === 'gpu.changed');
      if (last?.type !== 'gpu.changed') throw new Error('the card told nothing');
      return last.standing;
    },
    heard: (type: GpuReport['type']): number => reports.filter((report) => report.type === type).length,
    check: (...found: readonly GpuFinding[]) => {
      for (const finding of found) actor.send({ type: 'gpu.checked', finding, begunMono: clock.now(), ...now() });
    },
    /** A look that began some time ago. */
    checkLate: (finding: GpuFinding, begunAgoMs: number) =>
      actor.send({ type: 'gpu.checked', finding, begunMono: clock.now() - begunAgoMs, ...now() }),
    xid: (code: number, facts: Partial<XidReport> = {}) => actor.send({ type: 'gpu.xid', report: xid(code, facts), ...now() }),
    pass: (ms: number) => clock.increment(ms),
  };
};

export type GpuDriver = ReturnType<typeof driveGpu>;
