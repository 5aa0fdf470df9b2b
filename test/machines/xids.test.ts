/** The table of Xids, and what each comes to. The expectations are a second writing of NVIDIA's catalogue, by hand. */
import { describe, expect, it } from 'vitest';
import { causeOfXid, type XidVerdict, xidVerdict } from '../../src/machines/policies/xid-verdict.ts';
import { xidRows } from '../../src/machines/policies/xids.ts';
import { xid } from '../kit/gpu-driver.ts';

const expected: Readonly<Record<string, readonly number[]>> = {
  restart: [
    8, 11, 13, 25, 31, 32, 39, 40, 41, 43, 44, 69, 70, 71, 72, 75, 76, 77, 80, 85, 94, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 137, 159,
  ],
  reset: [46, 48, 61, 62, 64, 95, 109, 110, 119, 120, 140, 143, 158],
  reboot: [54, 151],
  lost: [79],
  link: [74, 136, 155],
  later: [63, 156],
  note: [
    37, 38, 45, 60, 66, 67, 68, 78, 82, 83, 84, 86, 88, 89, 92, 93, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 121, 122, 123, 124, 125,
    139, 144, 145, 146, 147, 148, 149, 150, 157, 160, 161, 162, 163, 164, 165,
  ],
  cleared: [154],
};

describe('the table of Xids', () => {
  it.each(Object.entries(expected))('says %s for each of its numbers', (verdict, codes) => {
    expect(codes.map((code) => [code, xidVerdict(xid(code), [], 0)])).toEqual(codes.map((code) => [code, verdict]));
  });

  it('has each number once, and no other than these', () => {
    const listed = xidRows.flatMap(({ codes }) => codes);
    expect(new Set(listed).size).toBe(listed.length);
    expect([...listed].sort((a, b) => a - b)).toEqual(
      Object.values(expected)
        .flat()
        .sort((a, b) => a - b),
    );
  });

  it('restarts the engine that cleanup and video errors name, and no other', () => {
    const process = { pid: 77, poolId: 'pool-0' };
    for (const code of [45, 60, 68, 104, 139]) expect(xidVerdict(xid(code, { process }), [], 0)).toBe('restart');
    expect(xidVerdict(xid(45, { process: { pid: 77, poolId: null } }), [], 0)).toBe('note');
  });

  it('takes fatal NVLink errors of newer cards for broken links', () => {
    for (const code of [144, 145, 146, 147, 148, 149, 150]) expect(xidVerdict(xid(code, { fatal: true }), [], 0)).toBe('link');
  });

  it('only watches a card that says an unknown number', () => expect(xidVerdict(xid(999), [], 0)).toBe('watch'));

  it.each<[XidVerdict, string]>([
    ['restart', 'cuda_error'],
    ['reset', 'gpu_reset_required'],
    ['reboot', 'gpu_unhealthy'],
    ['lost', 'gpu_lost'],
    ['link', 'gpu_unhealthy'],
    ['watch', 'gpu_unhealthy'],
  ])('%s is the reason %s, with the number, what it means, what to do and what the kernel said', (verdict, code) => {
    const cause = causeOfXid(xid(48), verdict);
    expect(cause.code).toBe(code);
    expect(cause.message).toMatch(/^Xid 48: a double-bit memory error; .+ \(the kernel said: NVRM: Xid .*48, told by a test\)$/);
  });
});
