/** Where a pool without an engine comes to rest. */
import { describe, expect, it } from 'vitest';
import { type SettleInput, settle } from '../../src/machines/policies/settle.ts';
import { type ReasonCode, reasonCodes, reasonRow } from '../../src/machines/reasons.ts';

const plain: SettleInput = {
  origin: 'file',
  wanted: 'up',
  removing: false,
  shuttingDown: false,
  beside: false,
  hasNextSpec: false,
  mayRollBack: false,
  lacksGpus: false,
  reason: 'engine_exited',
};
const at = (own: Partial<SettleInput>) => settle({ ...plain, ...own });

describe('a pool that is wanted up', () => {
  it('rests where the table of reasons says, for each reason', () => {
    const orders: readonly ReasonCode[] = ['operator', 'drained'];
    for (const reason of reasonCodes) {
      const { endsIn } = reasonRow(reason);
      const expected = orders.includes(reason) ? 'again' : endsIn === 'stuck' ? 'backingOff' : endsIn;
      expect(at({ reason }), reason).toBe(expected);
    }
    expect(at({ reason: null })).toBe('again');
  });

  it('goes back to the old spec whatever became of the new one', () => {
    for (const reason of ['engine_exited', 'cuda_oom', 'insufficient_vram', 'engine_completed', 'model_missing', 'gpu_missing'] as const)
      expect(at({ reason, mayRollBack: true }), reason).toBe('rollback');
    expect(at({ reason: 'operator', mayRollBack: true }), 'an order to start is for the new one').toBe('again');
    expect(at({ reason: 'vram_not_released', mayRollBack: true })).toBe('blocked');
  });

  it('waits for its GPUs instead of for time', () => {
    expect(at({ lacksGpus: true })).toBe('blocked');
    expect(at({ lacksGpus: true, reason: null })).toBe('blocked');
    expect(at({ lacksGpus: true, reason: 'cuda_oom' })).toBe('failed');
    expect(at({ lacksGpus: true, reason: 'engine_completed' })).toBe('stopped');
    expect(at({ lacksGpus: true, hasNextSpec: true }), 'a new spec may have others').toBe('again');
  });

  it('starts a new spec at once, unless the old one still holds its VRAM', () => {
    for (const reason of reasonCodes) expect(at({ reason, hasNextSpec: true }), reason).toBe(reason === 'vram_not_released' ? 'blocked' : 'again');
  });
});

describe('an order', () => {
  it('goes before every reason: removal, then down', () => {
    for (const reason of [...reasonCodes, null]) {
      const all = { reason, hasNextSpec: true, mayRollBack: true, lacksGpus: true };
      expect(at({ ...all, removing: true, shuttingDown: true, wanted: 'down' })).toBe('ended');
      expect(at({ ...all, wanted: 'down' })).toBe('stopped');
      expect(at({ ...all, shuttingDown: true })).toBe('stopped');
    }
  });
});

describe('an attached pool', () => {
  it('stops when it was told to and is tried again for everything else; it is never started', () => {
    for (const reason of reasonCodes)
      expect(at({ origin: 'attached', reason, lacksGpus: true }), reason).toBe(reasonRow(reason).endsIn === 'stopped' ? 'stopped' : 'backingOff');
    expect(at({ origin: 'attached', reason: null })).toBe('backingOff');
  });
});
