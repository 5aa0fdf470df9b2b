/** The health of a card, told on simulated time; at the end every transition of the chart was taken. */
import { afterAll, describe, expect, it } from 'vitest';
import { gpuMachine } from '../../src/machines/gpu/machine.ts';
import { driveGpu, findings, type GpuDriver } from '../kit/gpu-driver.ts';
import { createCoverage } from '../kit/transition-coverage.ts';

const coverage = createCoverage(gpuMachine);
const drive = (alone = false): GpuDriver => driveGpu(coverage.inspect, alone);
const { sound, soundForAllThatIsKnown, failing, away, demanding } = findings;

afterAll(() => expect(coverage.missing(), 'transitions that no test took').toEqual([]));

/** A settled card in quarantine for an Xid that asks for a reset, of a driver that does not tell what is to be done. */
const quarantinedByXid = (): GpuDriver => {
  const card = drive();
  card.xid(48);
  card.check(soundForAllThatIsKnown);
  card.pass(3_000);
  expect(card.where()).toBe('quarantined');
  return card;
};

describe('a healthy card', () => {
  it('takes note of what is no fault of its own, and says so to its node', () => {
    const card = drive();
    card.check(sound);
    card.xid(92);
    expect(card.where()).toBe('healthy');
    expect(card.told()).toMatchObject({ health: 'healthy', cause: null, xids: 1, lastXid: { code: 92 }, recommended: null });
  });

  it('recommends a reset at leisure where memory was retired', () => {
    const card = drive();
    card.xid(63);
    expect(card.told()).toMatchObject({ health: 'healthy', recommended: 'later' });
  });

  it('is suspect when what ran on it died; the node is told whose, and three good looks clear it', () => {
    const card = drive();
    card.xid(13, { process: { pid: 77, poolId: 'pool-0' } });
    expect(card.reports).toContainEqual(
      expect.objectContaining({ type: 'gpu.faulted', uuid: 'GPU-1', cause: expect.objectContaining({ code: 'cuda_error' }) }),
    );
    expect(card.told()).toMatchObject({ health: 'suspect', cause: { code: 'cuda_error' } });
    expect(card.heard('gpu.lookWanted')).toBe(1);
    card.check(sound, sound);
    expect(card.where()).toBe('suspect');
    card.check(sound);
    expect(card.told()).toMatchObject({ health: 'healthy', cause: null });
  });

  it('ends nobody for cleanup that names no process of ours, or follows another error', () => {
    const card = drive();
    card.xid(45);
    card.xid(45, { process: { pid: 9, poolId: null } });
    card.xid(45, { process: { pid: 77, poolId: 'pool-0' }, follows: 48 });
    expect(card.where()).toBe('healthy');
    expect(card.heard('gpu.faulted')).toBe(0);
    card.xid(45, { process: { pid: 77, poolId: 'pool-0' } });
    expect(card.heard('gpu.faulted')).toBe(1);
  });

  it('is looked at when it says a number that nobody knows', () => {
    const card = drive();
    card.xid(4711);
    expect(card.told()).toMatchObject({ health: 'suspect', lastXid: { code: 4711, message: expect.stringContaining('does not know this number') } });
    expect(card.heard('gpu.lookWanted')).toBe(1);
  });

  it('goes at once when the driver names what is to be done', () => {
    const card = drive();
    card.check(demanding);
    expect(card.told()).toMatchObject({ health: 'quarantined', cause: { code: 'gpu_reset_required' }, recommended: 'reset' });
  });

  it('says what it is told also where it has no node, as in a fold', () => {
    const card = drive(true);
    card.xid(13);
    card.xid(48);
    card.pass(3_000);
    expect(card.where()).toBe('quarantined');
  });
});

describe('a suspect card', () => {
  it('is unhealthy at the third look in a row that cannot read it, and in quarantine when that does not pass', () => {
    const card = drive();
    card.check(failing, failing);
    expect(card.told()).toMatchObject({ health: 'suspect', cause: { code: 'gpu_unhealthy' } });
    card.check(sound, failing, failing);
    expect(card.where()).toBe('suspect');
    card.check(failing);
    expect(card.told()).toMatchObject({ health: 'unhealthy', cause: { code: 'gpu_unhealthy' }, recommended: null });
    card.check(failing);
    card.pass(3_000);
    expect(card.where()).toBe('quarantined');
    card.check(failing, sound);
    expect(card.where()).toBe('recovering');
  });

  it('notes further errors without being cleared by the looks before them', () => {
    const card = drive();
    card.xid(13);
    card.check(sound, sound);
    card.xid(13, { process: { pid: 1, poolId: 'pool-0' } });
    card.check(sound, sound);
    card.xid(92);
    expect(card.where()).toBe('suspect');
    expect(card.heard('gpu.faulted')).toBe(2);
    card.check(sound);
    expect(card.where()).toBe('healthy');
  });

  it('keeps pools of several cards away from a broken link until the driver says that nothing is to be done', () => {
    const card = drive();
    card.xid(74);
    expect(card.told()).toMatchObject({ health: 'suspect', linkCause: { code: 'gpu_unhealthy' } });
    card.xid(74);
    card.check(soundForAllThatIsKnown, soundForAllThatIsKnown, soundForAllThatIsKnown, soundForAllThatIsKnown);
    expect(card.told()).toMatchObject({ health: 'suspect' });
    card.check(sound);
    expect(card.told()).toMatchObject({ health: 'healthy', linkCause: null });
  });

  it('counts NVLink errors of newer cards only where they are fatal', () => {
    const card = drive();
    card.xid(149, { fatal: false });
    expect(card.where()).toBe('healthy');
    card.xid(149, { fatal: true });
    expect(card.told()).toMatchObject({ health: 'suspect', linkCause: { code: 'gpu_unhealthy' } });
  });

  it('is at fault itself when the same error strikes several pools, or comes again within a day where that is a sign', () => {
    const card = drive();
    card.xid(31, { process: { pid: 1, poolId: 'pool-0' } });
    card.xid(31, { process: { pid: 2, poolId: 'pool-0' } });
    card.xid(31, { process: { pid: 3, poolId: 'pool-0' } });
    expect(card.where()).toBe('suspect');
    card.xid(31, { process: { pid: 4, poolId: 'pool-1' } });
    expect(card.told()).toMatchObject({ health: 'unhealthy', cause: { code: 'gpu_reset_required' } });
    const again = drive();
    again.xid(32);
    again.pass(25 * 60 * 60 * 1000);
    again.xid(32);
    expect(again.where()).toBe('suspect');
    again.xid(32);
    expect(again.where()).toBe('unhealthy');
  });
});

describe('an unhealthy card', () => {
  it('is left at once by those on it, and goes into quarantine when the driver says nothing better within three seconds', () => {
    const card = drive();
    card.xid(48);
    expect(card.told()).toMatchObject({ health: 'unhealthy', cause: { code: 'gpu_reset_required' }, recommended: 'reset' });
    expect(card.heard('gpu.lookWanted')).toBe(1);
    card.xid(63);
    card.pass(2_999);
    expect(card.where()).toBe('unhealthy');
    card.pass(1);
    expect(card.told()).toMatchObject({ health: 'quarantined', recommended: 'reset', lastXid: { code: 63 } });
  });

  it('recovers without a reset where the driver says that none is needed: its word comes before the table', () => {
    const card = drive();
    card.xid(48);
    card.check(sound);
    card.pass(3_000);
    expect(card.told()).toMatchObject({ health: 'recovering', recommended: null });
    card.check(sound, sound);
    expect(card.where()).toBe('recovering');
    card.check(sound);
    expect(card.where()).toBe('healthy');
  });

  it('takes the word of the driver that follows an error, in the log or at a look', () => {
    const card = drive();
    card.xid(48);
    card.xid(154, { recovery: 'reboot' });
    expect(card.told()).toMatchObject({ health: 'quarantined', recommended: 'reboot' });
    const looked = drive();
    looked.xid(48);
    looked.check(demanding);
    expect(looked.told()).toMatchObject({ health: 'quarantined', recommended: 'reset' });
  });

  it('is not asked when the driver would hang over it', () => {
    const card = drive();
    card.xid(119);
    expect(card.where()).toBe('unhealthy');
    expect(card.heard('gpu.lookWanted')).toBe(0);
  });

  it('is lost when it falls off the bus', () => {
    const card = drive();
    card.xid(48);
    card.xid(79);
    expect(card.told()).toMatchObject({ health: 'lost', cause: { code: 'gpu_lost' }, recommended: 'reboot' });
  });
});

describe('a look that began before an error', () => {
  it('says nothing of its end, only of what is wrong', () => {
    const card = drive();
    card.pass(1_000);
    card.xid(48);
    card.checkLate(sound, 500);
    card.pass(3_000);
    expect(card.where()).toBe('quarantined');
    card.checkLate(sound, 3_500);
    expect(card.where()).toBe('quarantined');
    card.check(sound);
    expect(card.where()).toBe('recovering');
    card.xid(92);
    card.checkLate(away, 500);
    expect(card.where()).toBe('lost');
  });
});

describe('a card in quarantine', () => {
  it('stays there, however sound it looks, where the driver tells nothing of resets', () => {
    const card = quarantinedByXid();
    card.check(...Array.from({ length: 10 }, () => soundForAllThatIsKnown));
    card.xid(92);
    expect(card.told()).toMatchObject({ health: 'quarantined', xids: 2 });
  });

  it('is back once it was away, as after a reload of the driver (row 34)', () => {
    const card = quarantinedByXid();
    card.check(away);
    expect(card.where()).toBe('lost');
    card.check(soundForAllThatIsKnown);
    expect(card.told()).toMatchObject({ health: 'recovering', recommended: null });
    card.check(soundForAllThatIsKnown, soundForAllThatIsKnown);
    expect(card.told()).toMatchObject({ health: 'healthy', cause: null });
  });

  it('is back after three good looks once the driver asks for nothing more (row 34)', () => {
    const card = drive();
    card.check(demanding, demanding, failing);
    expect(card.where()).toBe('quarantined');
    card.check(soundForAllThatIsKnown);
    expect(card.where()).toBe('quarantined');
    card.check(sound);
    expect(card.where()).toBe('recovering');
    card.check(sound);
    expect(card.where()).toBe('recovering');
    card.check(sound);
    expect(card.where()).toBe('healthy');
  });

  it('is free of what the driver asked for once the driver says so in the log', () => {
    const card = drive();
    card.xid(154, { recovery: 'reset' });
    expect(card.told()).toMatchObject({ health: 'quarantined', cause: { code: 'gpu_reset_required' } });
    card.xid(154, { recovery: 'none' });
    expect(card.told()).toMatchObject({ health: 'quarantined', recommended: null });
    card.check(soundForAllThatIsKnown);
    expect(card.where()).toBe('recovering');
  });
});

describe('a lost card', () => {
  it('is lost for what the kernel says, and for what the driver does not list', () => {
    const card = drive();
    card.xid(79);
    expect(card.told()).toMatchObject({ health: 'lost', cause: { code: 'gpu_lost' } });
    expect(card.heard('gpu.lookWanted')).toBe(0);
    card.xid(154, { recovery: 'reboot' });
    expect(card.told()).toMatchObject({ health: 'lost', recommended: 'reboot' });
    card.check(soundForAllThatIsKnown);
    expect(card.where()).toBe('lost');
    card.check(away, away);
    expect(card.where()).toBe('lost');
    const missing = drive();
    missing.check(away);
    expect(missing.told()).toMatchObject({ health: 'lost', cause: { code: 'gpu_lost' }, recommended: null });
    missing.xid(79);
    expect(missing.told()).toMatchObject({ health: 'lost', cause: { message: expect.stringContaining('Xid 79') }, recommended: 'reboot' });
    missing.check(demanding);
    expect(missing.where()).toBe('quarantined');
  });
});

describe('a recovering card', () => {
  const recovering = (): GpuDriver => {
    const card = drive();
    card.check(away, sound);
    expect(card.where()).toBe('recovering');
    return card;
  };

  it('falls back at the first bad sign', () => {
    const failed = recovering();
    failed.check(failing);
    expect(failed.where()).toBe('unhealthy');
    const gone = recovering();
    gone.check(away);
    expect(gone.where()).toBe('lost');
    const broken = recovering();
    broken.xid(95);
    expect(broken.where()).toBe('unhealthy');
  });

  it('is counted anew after an error that nobody was there to suffer', () => {
    const card = recovering();
    card.check(sound);
    card.xid(13);
    card.check(sound, sound);
    expect(card.where()).toBe('recovering');
    expect(card.heard('gpu.faulted')).toBe(0);
    card.check(sound);
    expect(card.where()).toBe('healthy');
  });
});
