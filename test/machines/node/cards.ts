/** Cards that get sick and well: whose pools fail, whose go on, and what is shown. */
import { describe, expect, it } from 'vitest';
import { gpuViews, nodeView } from '../../../src/machines/node/view.ts';
import type { GpuFact, GpuFinding, XidReport } from '../../../src/machines/vocabulary.ts';
import { findings, xid } from '../../kit/gpu-driver.ts';
import { card, deep, gib, gpuSpec, inventoryOf } from '../../kit/gpu-facts.ts';
import { type NodeDriver, tick } from '../../kit/node-driver.ts';
import { report, serving } from './story.ts';

const addressed = (index: number, facts: Partial<GpuFact> = {}): GpuFact => card(index, { pciAddress: `00000000:0${index + 1}:00.0`, ...facts });
const kernel = (node: NodeDriver, code: number, index: number, facts: Partial<XidReport> = {}): void =>
  node.send({ type: 'kernel.xid', report: xid(code, { pciAddress: `00000000:0${index + 1}:00.0`, ...facts }), ...tick() });
const check = (node: NodeDriver, index: number, ...found: readonly GpuFinding[]): void => {
  for (const finding of found) node.send({ type: 'gpu.checked', uuid: `GPU-${index}`, finding, begunMono: Number.POSITIVE_INFINITY, ...tick() });
};

/** Pools `a` on the first card, `b` on the second, `both` on both; all are told that their devices are there. */
const onTwoCards = async (): Promise<NodeDriver> => {
  const node = await serving(
    { poolId: 'a' },
    { poolId: 'b', spec: gpuSpec({ id: 'b', devices: [1] }) },
    { poolId: 'both', spec: gpuSpec({ id: 'both', devices: [0, 1] }) },
  );
  node.discover(addressed(0), addressed(1));
  return node;
};

const health = (node: NodeDriver) => gpuViews(node.context(), { now: Date.now(), staleMs: 1_000 }).map((gpu) => gpu.health);

describe('a card that fails', () => {
  it('takes only its own pools with it, and gives them back once it is well (row 32)', async () => {
    const node = await onTwoCards();
    kernel(node, 79, 1);
    expect(node.heard('a')).toEqual(['gpus.matched']);
    expect(node.pool('b').heard.at(-1)).toMatchObject({ type: 'gpus.unmatched', cause: { code: 'gpu_lost', details: { gpu: 'GPU-1', xid: 79 } } });
    expect(node.pool('both').heard.at(-1)).toMatchObject({ type: 'gpus.unmatched', cause: { code: 'gpu_lost' } });
    expect(node.looks).toContainEqual({ type: 'gpus.attend', uuids: ['GPU-1'] });
    check(node, 1, findings.away);
    node.discover(addressed(0));
    expect(health(node)).toEqual(['healthy', 'lost']);
    check(node, 1, findings.sound);
    node.discover(addressed(0), addressed(1));
    check(node, 1, findings.sound);
    expect(node.heard('b').filter((type) => type === 'gpus.matched')).toHaveLength(1);
    check(node, 1, findings.sound);
    expect(node.heard('b')).toEqual(['gpus.matched', 'gpus.unmatched', 'gpus.matched']);
    expect(node.heard('both').at(-1)).toBe('gpus.matched');
    expect(node.heard('a')).toEqual(['gpus.matched']);
    expect(health(node)).toEqual(['healthy', 'healthy']);
  });

  it('is told once, and again when it is for another reason', async () => {
    const node = await onTwoCards();
    check(node, 0, findings.demanding, findings.demanding, findings.away);
    expect(node.pool('a').heard).toMatchObject([
      { type: 'gpus.matched' },
      { type: 'gpus.unmatched', cause: { code: 'gpu_reset_required' } },
      { type: 'gpus.unmatched', cause: { code: 'gpu_lost' } },
    ]);
  });

  it('takes no pool that asks for it, and says why', async () => {
    const node = await onTwoCards();
    kernel(node, 48, 0);
    node.clock.increment(3_000);
    node.pool('a').say({
      type: 'admission.requested',
      poolId: 'a',
      devices: [0],
      tensorSplit: null,
      needBytes: gib,
      inventory: { ...inventoryOf(addressed(0), addressed(1)), ...tick() },
    });
    expect(node.pool('a').heard.at(-1)).toMatchObject({
      type: 'admission.refused',
      cause: { code: 'gpu_reset_required', message: expect.stringMatching(/^GPU 0 \(GPU-0\) is quarantined: Xid 48: .*--gpu-reset/) },
    });
  });

  it('wakes pools that wait when it is well again', async () => {
    const node = await onTwoCards();
    node.pool('a').say(report('a', 'offline'));
    check(node, 0, findings.failing, findings.failing, findings.failing);
    node.clock.increment(3_000);
    check(node, 0, findings.sound, findings.sound, findings.sound);
    expect(node.heard('a').slice(-2).sort()).toEqual(['gpus.matched', 'resources.changed']);
  });

  it('with a broken link fails pools of several cards only', async () => {
    const node = await onTwoCards();
    kernel(node, 74, 0);
    expect(node.heard('a')).toEqual(['gpus.matched']);
    expect(node.pool('both').heard.at(-1)).toMatchObject({ type: 'gpus.unmatched', cause: { details: { xid: 74 } } });
  });
});

describe('an error that a card survives', () => {
  it('ends the engine whose process the kernel names, and no other', async () => {
    const node = await onTwoCards();
    kernel(node, 31, 0, { process: { pid: 77, poolId: 'both' } });
    expect(node.pool('both').heard.at(-1)).toMatchObject({ type: 'engine.faulted', cause: { code: 'cuda_error', details: { xid: 31, pid: 77 } } });
    expect(node.heard('a')).toEqual(['gpus.matched']);
    expect(node.heard('b')).toEqual(['gpus.matched']);
  });

  it('ends nobody for the sake of a process that is not ours', async () => {
    const node = await onTwoCards();
    kernel(node, 31, 0, { process: { pid: 99, poolId: null } });
    for (const pool of ['a', 'b', 'both']) expect(node.heard(pool)).toEqual(['gpus.matched']);
  });

  it('without a process ends all that are on the card', async () => {
    const node = await onTwoCards();
    kernel(node, 94, 1);
    expect([node.heard('a').at(-1), node.heard('b').at(-1), node.heard('both').at(-1)]).toEqual(['gpus.matched', 'engine.faulted', 'engine.faulted']);
    expect(node.looks).toContainEqual({ type: 'gpus.look' });
  });

  it('of a MIG slice leaves its siblings alone (row 40)', async () => {
    const slice = (uuid: string, gpuInstanceId: number) => ({
      uuid,
      profile: '1g.18gb',
      gpuInstanceId,
      computeInstanceId: 0,
      memoryTotalBytes: gib,
      memoryUsedBytes: 0,
      memoryFreeBytes: gib,
    });
    const node = await serving(
      { poolId: 'a', spec: gpuSpec({ id: 'a', devices: ['MIG-1'] }) },
      { poolId: 'b', spec: gpuSpec({ id: 'b', devices: ['MIG-2'] }) },
    );
    node.discover(addressed(0, { mig: [slice('MIG-1', 5), slice('MIG-2', 6)] }));
    kernel(node, 94, 0, { gpuInstanceId: 5 });
    expect([node.heard('a').at(-1), node.heard('b').at(-1)]).toEqual(['engine.faulted', 'gpus.matched']);
    kernel(node, 95, 0);
    expect([node.heard('a').at(-1), node.heard('b').at(-1)]).toEqual(['gpus.unmatched', 'gpus.unmatched']);
  });

  it('of a card that nobody knows concerns nobody', async () => {
    const node = await onTwoCards();
    kernel(node, 79, 7);
    check(node, 7, findings.away);
    const [known] = Object.values(node.context().gpus);
    if (known === undefined) throw new Error('the node knows no card');
    node.send({ type: 'gpu.changed', standing: { ...known, uuid: 'GPU-7' } });
    expect(health(node)).toEqual(['healthy', 'healthy']);
  });
});

describe('what is shown of a card', () => {
  it('is its health, why, what is to be done, and its errors; also while it is not there', async () => {
    const node = await onTwoCards();
    kernel(node, 63, 0);
    kernel(node, 79, 1);
    node.discover(addressed(0));
    const [first, second] = gpuViews(node.context(), { now: Date.now(), staleMs: 1_000 });
    expect(first).toMatchObject({ health: 'healthy', health_reason: null, recommended_action: 'later', xids: 1, last_xid: { code: 63 } });
    expect(second).toMatchObject({
      index: 1,
      uuid: 'GPU-1',
      health: 'lost',
      health_reason: { code: 'gpu_lost' },
      recommended_action: 'reboot',
      xids: 1,
      last_xid: { code: 79, at: expect.stringMatching(/Z$/) },
      memory_total_bytes: null,
      stale: true,
      pools: ['b', 'both'],
    });
  });

  it('is what changes slowly, with a time of its own, and the slices of a card in MIG mode', async () => {
    const node = await serving({ poolId: 'a' });
    const slice = {
      uuid: 'MIG-1',
      profile: '1g.18gb',
      gpuInstanceId: 5,
      computeInstanceId: 0,
      memoryTotalBytes: gib,
      memoryUsedBytes: 0,
      memoryFreeBytes: gib,
    };
    const slow = deep({ pending: true });
    const { at } = node.discover(addressed(0, { deep: slow, mig: [slice] }), addressed(1));
    const [first, second] = gpuViews(node.context(), { now: at + 1_234, staleMs: 1_000 });
    expect(first).toMatchObject({
      age_ms: 1_234,
      details: {
        graphics_clock_mhz: 1_410,
        ecc: { uncorrected_ever: 1 },
        remapped_rows: { pending: true },
        seen_at: new Date(slow.at).toISOString(),
      },
      mig: [{ uuid: 'MIG-1', gpu_instance_id: 5, memory_total_bytes: gib }],
    });
    expect(second).toMatchObject({ details: null, mig: null });
  });

  it('is a degradation of the node, and so are a log of the kernel that cannot be read and a journal that cannot be written', async () => {
    const node = await onTwoCards();
    const around = { machineId: 'm', version: '0', host: {} as never, simulated: false, registration: null, journalTrouble: null };
    const degraded = () => nodeView({ value: node.value(), context: node.context() }, around).degraded;
    expect(degraded()).toEqual([]);
    kernel(node, 79, 1);
    node.send({ type: 'kernel.followed', cause: { code: 'driver_error', message: 'no permission' }, ...tick() });
    expect(degraded()).toEqual([expect.stringMatching(/^gpu_lost: 1 \(Xid 79: /), 'kernel_log_unreadable: no permission']);
    node.send({ type: 'kernel.followed', cause: null, ...tick() });
    expect(degraded()).toHaveLength(1);
    const view = nodeView({ value: node.value(), context: node.context() }, { ...around, journalTrouble: 'ENOSPC; make room on /j' });
    expect(view.degraded.slice(1)).toEqual(['journal_failing: ENOSPC; make room on /j']);
  });
});
