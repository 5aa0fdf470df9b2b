/** What one look comes to for a card that was seen before. */
import { describe, expect, it } from 'vitest';
import { findingOf, findingOfFailure, keyOf } from '../../src/gpu/finding.ts';
import type { Cause } from '../../src/machines/vocabulary.ts';
import { card, deep, inventoryOf } from '../kit/gpu-facts.ts';

const known = { uuid: 'GPU-1', index: 1, pciAddress: '00000000:02:00.0' };
const seen = (facts: Parameters<typeof card>[1]) => findingOf(known, inventoryOf(card(0), card(1, facts)));
const remarked = (remark: string) => findingOf(known, { ...inventoryOf(card(0)), remarks: [remark] });

describe('a card that is listed', () => {
  it.each([
    [{ recoveryAction: 'None' }, { kind: 'sound', action: 'none' }],
    [{ recoveryAction: null }, { kind: 'sound', action: 'unknown' }],
    [{ recoveryAction: 'Reset' }, { kind: 'demanding', action: 'reset', cause: { code: 'gpu_reset_required' } }],
    [{ recoveryAction: 'Reboot' }, { kind: 'demanding', action: 'reboot', cause: { code: 'gpu_unhealthy' } }],
    [{ recoveryAction: 'Drain P2P' }, { kind: 'demanding', action: 'drain_p2p' }],
    [{ recoveryAction: 'Drain and Reset' }, { kind: 'demanding', action: 'drain_and_reset', cause: { code: 'gpu_reset_required' } }],
    [{ recoveryAction: 'Recover IMEX' }, { kind: 'demanding', action: 'other' }],
    [{ deep: deep({ failed: true }) }, { kind: 'demanding', action: 'other', cause: { code: 'gpu_unhealthy' } }],
    [
      { deep: deep({ failed: true }), recoveryAction: 'None' },
      { kind: 'sound', action: 'none' },
    ],
    [{ deep: deep({ pending: true }) }, { kind: 'sound' }],
    [{ reads: 'lost' as const }, { kind: 'away', cause: { code: 'gpu_lost' } }],
    [{ reads: 'reset' as const }, { kind: 'demanding', action: 'reset', cause: { code: 'gpu_reset_required' } }],
    [
      { reads: 'unknown' as const, recoveryAction: 'None' },
      { kind: 'failing', cause: { code: 'gpu_unhealthy' } },
    ],
    [
      { reads: 'unknown' as const, recoveryAction: 'Reset' },
      { kind: 'demanding', action: 'reset' },
    ],
  ])('%o is found %o', (facts, finding) => expect(seen(facts)).toMatchObject(finding));
});

describe('a card that is not listed', () => {
  it('is away, and it is told which are there', () => {
    expect(findingOf(known, inventoryOf(card(0)))).toMatchObject({
      kind: 'away',
      cause: { code: 'gpu_lost', message: expect.stringContaining('only 0') },
    });
  });

  it.each([
    ['Unable to determine the device handle for GPU1: 0000:02:00.0: Unknown Error', { kind: 'away', cause: { code: 'gpu_lost' } }],
    ['Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.', { kind: 'away', cause: { code: 'gpu_lost' } }],
    ['Unable to determine the device handle for GPU0000:02:00.0: GPU requires reset', { kind: 'demanding', action: 'reset' }],
    [
      'Unable to determine the device handle for GPU 0000:03:00.0: GPU is lost.',
      { kind: 'away', cause: { message: expect.stringContaining('does not list') } },
    ],
  ])('is what the tool says of it: %s', (remark, finding) => expect(remarked(remark)).toMatchObject(finding));
});

describe('a look that failed as a whole', () => {
  const failure = (code: Cause['code'], output: string): Cause => ({ code, message: 'nvidia-smi failed', details: { output } });

  it('for the sake of one card is about that card', () => {
    const lost = failure('gpu_lost', 'Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system');
    expect(findingOfFailure(known, lost)).toMatchObject({ kind: 'away', cause: { code: 'gpu_lost' } });
    expect(findingOfFailure({ ...known, pciAddress: '00000000:01:00.0' }, lost)).toBeNull();
    expect(findingOfFailure({ ...known, pciAddress: null }, lost)).toBeNull();
    expect(findingOfFailure(known, failure('gpu_reset_required', 'GPU 0000:02:00.0 requires reset'))).toMatchObject({ kind: 'demanding' });
  });

  it('for the driver as a whole says nothing about a card', () => {
    expect(findingOfFailure(known, failure('driver_mismatch', 'mismatch 0000:02:00.0'))).toBeNull();
  });
});

it('two findings between which nothing has changed have one key', () => {
  const keys = [seen({ recoveryAction: 'None' }), seen({ recoveryAction: null }), seen({ recoveryAction: 'Reset' }), seen({ reads: 'lost' })].map(
    keyOf,
  );
  expect(new Set(keys).size).toBe(4);
  expect(keyOf(seen({ recoveryAction: 'None', temperatureC: 50 }))).toBe(keys[0]);
});
