/** NVML's result codes: all of them are known, and a failure of nvidia-smi that says nothing in words is understood by them (row 31). */
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/gpu/explain.ts';
import { nvmlCode, nvmlCodes } from '../../src/gpu/nvml-codes.ts';

const expected: readonly (readonly [code: number, kind: string, reason: string])[] = [
  [0, 'fine', 'driver_error'],
  [1, 'retry', 'driver_error'],
  [2, 'us', 'driver_error'],
  [3, 'fine', 'driver_error'],
  [4, 'machine', 'driver_error'],
  [5, 'fine', 'driver_error'],
  [6, 'card', 'gpu_missing'],
  [7, 'us', 'driver_error'],
  [8, 'card', 'gpu_unhealthy'],
  [9, 'machine', 'driver_error'],
  [10, 'retry', 'driver_error'],
  [11, 'card', 'gpu_unhealthy'],
  [12, 'machine', 'driver_error'],
  [13, 'machine', 'driver_error'],
  [14, 'fine', 'driver_error'],
  [15, 'card', 'gpu_lost'],
  [16, 'card', 'gpu_reset_required'],
  [17, 'machine', 'driver_error'],
  [18, 'machine', 'driver_mismatch'],
  [19, 'retry', 'driver_error'],
  [20, 'retry', 'driver_error'],
  [21, 'retry', 'driver_error'],
  [22, 'machine', 'driver_error'],
  [23, 'retry', 'driver_error'],
  [24, 'us', 'driver_error'],
  [25, 'us', 'driver_error'],
  [26, 'us', 'driver_error'],
  [27, 'retry', 'driver_error'],
  [28, 'card', 'gpu_missing'],
  [29, 'retry', 'driver_error'],
  [30, 'us', 'driver_error'],
  [999, 'retry', 'driver_error'],
];

describe("NVML's result codes", () => {
  it('are all 32 in the table, each once', () => expect(nvmlCodes.map(({ code }) => code)).toEqual(expected.map(([code]) => code)));

  it.each(expected)('%i is of kind %s and the reason %s', (code, kind, reason) => {
    expect(nvmlCode(code)).toMatchObject({ kind, reason, name: expect.stringMatching(/^[A-Z_]+$/) });
  });

  it.each(nvmlCodes.filter(({ code }) => code !== 0))('as the exit status $code of nvidia-smi says what it means, not that it is unknown', (row) => {
    const cause = explain({ command: 'nvidia-smi -q', exitCode: row.code, signal: null, output: '' });
    expect(cause).toMatchObject({ code: row.reason, message: expect.stringContaining(row.says) });
    expect(cause.message).not.toContain('not a failure known here');
  });

  it('leaves other statuses to the words', () => {
    expect(nvmlCode(255)).toBeNull();
    expect(explain({ command: 'nvidia-smi', exitCode: 255, signal: null, output: '' }).message).toContain('not a failure known here');
  });
});
