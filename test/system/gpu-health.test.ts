/** A card fails under one of two engines, with a scripted driver and a kernel's log of its own: the other engine does not notice. */
import { truncate } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { foldJournal } from '../kit/fold-journal.ts';
import { uuidOf } from '../kit/nvidia-smi.ts';
import { scriptedDriver } from '../kit/scripted-driver.ts';
import { until } from '../kit/until.ts';

const placed = { env: { STUB_SAYS_PLACED: '1' } };

describe('a card that falls off the bus', patient, () => {
  it('fails its own pools within two seconds, leaves the other engine alone, and takes its pools back once it is well (row 32)', async (t) => {
    const driver = await scriptedDriver(t, { cards: [{}, {}] });
    const house = await daemonHouse(t, driver.env);
    await house.declare([house.stub('pool-0', placed), house.stub('pool-1', { ...placed, devices: [1] })]);
    const daemon = await house.start();
    await daemon.ready('pool-0', 'pool-1');
    const [spared, struck] = [house.run('pool-0'), house.run('pool-1')];
    await until('the kernel to be followed', () => daemon.log().some(({ msg }) => msg.includes("kernel's log is followed")));

    await driver.smi.play({
      cards: [{}],
      message: 'Unable to determine the device handle for GPU1: 0000:01:00.0: Unknown Error',
      exitCode: 255,
    });
    const followed = await daemon.follow();
    const begun = performance.now();
    await driver.say("NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.");
    const lost = await daemon.sees('pool-1', 'not to be ready', ({ ready }) => !ready);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(lost).toMatchObject({ reason: { code: 'gpu_lost' } });
    await daemon.sees('pool-1', 'blocked', ({ state, substate }) => state === 'offline' && substate === 'blocked');
    await until('the Xid to be noted', async () => (await daemon.gpus())[1]?.xids === 1);
    expect(await daemon.gpus()).toMatchObject([
      { index: 0, health: 'healthy', health_reason: null },
      { index: 1, health: 'lost', health_reason: { code: 'gpu_lost' }, recommended_action: 'reboot', xids: 1, last_xid: { code: 79 } },
    ]);
    expect(await daemon.metric(/^gpu_health\{.*gpu_index="1",state="lost"/)).toBe(1);
    expect(await daemon.metric(/^gpu_xids_total\{.*xid="79"/)).toBe(1);
    expect(await daemon.node()).toMatchObject({ degraded: expect.arrayContaining([expect.stringMatching(/^gpu_lost: 1 /)]) });
    expect(daemon.log()).toContainEqual(expect.objectContaining({ msg: expect.stringMatching(/Xid 79: .*reboot/), gpu_uuid: uuidOf(1), xid: 79 }));

    await driver.smi.play({ cards: [{}, {}] });
    await daemon.ready('pool-1');
    expect(house.run('pool-1')?.pid).not.toBe(struck?.pid);
    expect(house.run('pool-0')).toEqual(spared);
    expect(await daemon.ask('GET', '/v2/pools/pool-0/status')).toMatchObject({ body: { ready: true, restarts: 0 } });
    const moves = followed.seen.filter(({ actor }) => actor === uuidOf(1));
    expect(moves.map(({ to }) => to)).toEqual(['lost', 'recovering', 'healthy']);
    followed.stop();
    expect(moves[0]).toMatchObject({ reason: { code: 'gpu_lost' } });
    await daemon.end();
    expect(foldJournal(house.stateDir).divergence).toBeNull();
  });

  it('is told of a process that runs on the card only: the engine that the kernel names is started again', async (t) => {
    const driver = await scriptedDriver(t, { cards: [{}] });
    const house = await daemonHouse(t, driver.env);
    await house.declare([house.stub('pool-0', placed), house.stub('pool-1', placed)]);
    const daemon = await house.start();
    await daemon.ready('pool-0', 'pool-1');
    const [spared, struck] = [house.run('pool-0'), house.run('pool-1')];
    await until('the kernel to be followed', () => daemon.log().some(({ msg }) => msg.includes("kernel's log is followed")));
    await driver.say(`NVRM: Xid (PCI:0000:00:00): 31, pid=${struck?.pid}, name=llama-server, MMU Fault: ENGINE GRAPHICS`);
    await until('another engine', () => (house.run('pool-1')?.pid ?? struck?.pid) !== struck?.pid);
    expect(await daemon.sees('pool-1', 'ready again', ({ ready }) => ready)).toMatchObject({ restarts: 1, last_error: { code: 'cuda_error' } });
    expect(house.run('pool-0')).toEqual(spared);
    expect((await daemon.gpus())[0]).toMatchObject({ last_xid: { code: 31 } });
  });
});

describe('an engine whose model is not in VRAM, whatever it says', patient, () => {
  it('is not ready, or no longer: what its processes hold is measured before it is ready and while it serves (row 39)', async (t) => {
    const driver = await scriptedDriver(t, { cards: [{}] });
    const house = await daemonHouse(t, driver.env);
    await truncate(house.model, 256 * 1024 ** 2);
    await house.declare([house.stub('pool-0', placed)]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const engine = house.run('pool-0')?.pid ?? 0;
    await driver.smi.play({ cards: [{ usedMiB: 100, processes: [{ pid: engine, usedMiB: 100 }] }] });
    await daemon.sees('pool-0', 'found out', ({ reason }) => reason?.code === 'residency_violation', 40_000);
    await driver.smi.play({ cards: [{}] });
    const failed = await daemon.sees('pool-0', 'failed', ({ substate }) => substate === 'failed', 40_000);
    expect(failed).toMatchObject({
      ready: false,
      live: false,
      reason: { code: 'residency_violation', retryable: false, message: expect.stringContaining('found 0.10 GiB') },
    });
    expect(house.left()).toEqual([]);
  });
});

describe('a driver that hangs', patient, () => {
  it('costs one child: what is known is shown as old within three seconds and a half, engines go on, the API answers as before, and the daemon ends (row 30)', async (t) => {
    const driver = await scriptedDriver(t, { cards: [{}] });
    const house = await daemonHouse(t, driver.env);
    await house.declare([house.stub('pool-0', placed)]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const run = house.run('pool-0');
    const slowest = async (rounds: number): Promise<number> => {
      const times: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const begun = performance.now();
        await daemon.pools();
        times.push(performance.now() - begun);
      }
      return times.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
    };
    const before = await slowest(50);
    await driver.smi.play({ cards: [{}], hang: 'ignore_term' });
    await until('what is known to be old', async () => (await daemon.gpus()).every(({ stale }) => stale), 1_000 + 3_500);
    const during = await slowest(50);
    expect(during).toBeLessThan(Math.max(20, before * 3));
    await until('the node to be blind', async () => (await daemon.node()).gpus_state === 'blind');
    expect((await daemon.gpus())[0]).toMatchObject({ health: 'healthy', stale: true });
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, restarts: 0 });
    expect(house.run('pool-0')).toEqual(run);
    expect(await daemon.metric(/^gpu_probe_age_seconds\{/)).toBeGreaterThan(1);
    await driver.smi.play({ cards: [{}] });
    await until('the cards to be known again', async () => (await daemon.node()).gpus_state === 'known', 10_000);
    await driver.smi.play({ cards: [{}], hang: 'ignore_term' });
    await until('the driver to hang again', async () => (await daemon.node()).gpus_state === 'blind', 10_000);
    expect(await daemon.end('SIGTERM')).toMatchObject({ code: 0 });
  });
});
