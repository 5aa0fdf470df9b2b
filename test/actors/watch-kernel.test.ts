/** What of the kernel's log the node is told: each error once, in order, with the pool whose engine is named. */
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
import { type WatchKernelDeps, watchKernel } from '../../src/actors/watch-kernel.ts';
import type { DriverXid, GpuSource } from '../../src/gpu/source.ts';
import type { KernelEvent } from '../../src/machines/events.ts';
import { until } from '../kit/until.ts';

let dir: string;
let file: string;
let stop: (() => void) | undefined;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'watch-kernel-'));
  file = join(dir, 'kmsg');
  await writeFile(file, '');
});
afterEach(async () => {
  stop?.();
  await rm(dir, { recursive: true, force: true });
});

const watching = (facts: Partial<WatchKernelDeps> = {}) => {
  const heard: KernelEvent[] = [];
  const machine = setup({
    types: { events: {} as KernelEvent },
    actors: {
      watchKernel: watchKernel({
        kernelLog: file,
        owners: async () => new Map([[77, 'pool-0']]),
        journalctl: join(dir, 'none'),
        seesItsPids: true,
        ...facts,
      }),
    },
    actions: { hear: ({ event }) => void heard.push(event) },
  }).createMachine({ invoke: { id: 'kernel', src: 'watchKernel', input: {} }, on: { '*': { actions: 'hear' } } });
  const actor = createActor(machine).start();
  stop = () => actor.stop();
  return { heard, reports: () => heard.flatMap((event) => (event.type === 'kernel.xid' ? [event.report] : [])) };
};
const say = (...texts: readonly string[]): Promise<void> => appendFile(file, texts.map((text) => `3,1,1,-;${text}\n`).join(''));
const line = (code: number, more = ''): string => `NVRM: Xid (PCI:0000:3b:00): ${code}, ${more}`;

describe('errors of cards', () => {
  it('are told with the pool whose engine the kernel names, with a stranger, or with nobody', async () => {
    const { heard, reports } = watching();
    await until('the log to be followed', () => heard.length === 1);
    expect(heard[0]).toMatchObject({ type: 'kernel.followed', cause: null });
    await say(line(31, 'pid=77, name=llama-server, x'), 'usb 1-1: new', line(31, 'pid=99, name=other, x'), line(79, 'GPU has fallen off the bus.'));
    await until('three reports', () => reports().length === 3);
    expect(reports()).toMatchObject([
      { code: 31, pciAddress: '00000000:3B:00.0', process: { pid: 77, poolId: 'pool-0' } },
      { code: 31, process: { pid: 99, poolId: null } },
      { code: 79, process: null },
    ]);
  });

  it('are told once however often they are said, and in the order in which they were', async () => {
    let slow = true;
    const owners = async (): Promise<ReadonlyMap<number, string>> => {
      if (slow) await new Promise((resolve) => setTimeout(resolve, 100));
      slow = false;
      return new Map();
    };
    const { heard, reports } = watching({ owners });
    await until('the log to be followed', () => heard.length === 1);
    const last = line(154, 'GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)');
    await say(...Array.from({ length: 500 }, () => line(48, 'pid=5, name=x, DBE')), last, last);
    await until('both reports', () => reports().length === 2);
    expect(reports().map(({ code }) => code)).toEqual([48, 154]);
    expect(reports()[1]).toMatchObject({ recovery: 'reset' });
  });

  it('name nobody where the pids of the kernel are not those that are seen here, or cannot be looked up', async () => {
    const contained = watching({ seesItsPids: false });
    await until('the log to be followed', () => contained.heard.length === 1);
    await say(line(31, 'pid=77, name=x'));
    await until('a report', () => contained.reports().length === 1);
    expect(contained.reports()).toMatchObject([{ process: null }]);
    stop?.();
    const blind = watching({ owners: () => Promise.reject(new Error('no')) });
    await until('the log to be followed', () => blind.heard.length === 1);
    await say(line(31, 'pid=77, name=x'));
    await until('a report', () => blind.reports().length === 1);
    expect(blind.reports()).toMatchObject([{ process: null }]);
  });
});

describe("the driver's own events", () => {
  const driver = () => {
    let hear: ((xid: DriverXid) => void) | null = null;
    const source: Pick<GpuSource, 'listen'> = {
      listen: (heard) => {
        hear = heard;
        return () => {
          hear = null;
        };
      },
    };
    return { source, tell: (xid: DriverXid) => hear?.(xid), isHeard: () => hear !== null };
  };
  const xid = { code: 79, pciAddress: '00000000:3B:00.0', gpuInstanceId: null };

  it('are told where the log does not say the same, and let go of in the end', async () => {
    const { source, tell, isHeard } = driver();
    const { heard, reports } = watching({ source });
    await until('the log to be followed', () => heard.length === 1);
    tell({ ...xid, code: 31 });
    tell(xid);
    await say(line(31, 'pid=77, name=llama-server, x'));
    await until('the other one to be told', () => reports().some(({ code }) => code === 79));
    expect(reports().map(({ code, process }) => [code, process?.poolId ?? null])).toEqual([
      [31, 'pool-0'],
      [79, null],
    ]);
    stop?.();
    expect(isHeard()).toBe(false);
  });

  it('are told at once where there is no log', async () => {
    const { source, tell } = driver();
    const { heard, reports } = watching({ kernelLog: join(dir, 'gone'), source });
    await until('it to be told', () => heard.length === 1);
    tell(xid);
    tell(xid);
    await until('a report', () => reports().length > 0);
    expect(reports()).toMatchObject([{ code: 79, pciAddress: '00000000:3B:00.0', process: null, text: expect.stringContaining('NVML') }]);
  });
});

describe('a log that cannot be read', () => {
  it('is a cause that says why', async () => {
    const { heard } = watching({ kernelLog: join(dir, 'gone') });
    await until('it to be told', () => heard.length === 1);
    expect(heard).toMatchObject([
      { type: 'kernel.followed', cause: { code: 'driver_error', message: expect.stringContaining('gone cannot be opened') } },
    ]);
  });

  it('is not asked for where cards are simulated', async () => {
    const { heard } = watching({ kernelLog: null });
    await say(line(79));
    const other = watching();
    await until('another watch to be up', () => other.heard.length === 1);
    expect(heard).toEqual([]);
  });
});
