/** A wall clock that can be set while a daemon runs, by libfaketime. Monotonic clocks go on as they do. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const places = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1'];

/** Null: it is not installed. */
export const fakeClock: string | null = process.env['LIBFAKETIME'] ?? places.find((path) => existsSync(path)) ?? null;

export interface FakeClock {
  /** For the daemon; nothing where there is no libfaketime. */
  readonly env: Readonly<Record<string, string>>;
  /** By how many seconds it is wrong from now on. Nothing happens where there is no libfaketime. */
  set(seconds: number): void;
}

/** Kept in a file of `dir`, over all daemons that are given it. */
export const fakeClockIn = (dir: string): FakeClock => {
  const file = join(dir, 'clock');
  if (fakeClock !== null && !existsSync(file)) writeFileSync(file, '+0');
  return {
    env:
      fakeClock === null ? {} : { LD_PRELOAD: fakeClock, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
    set: (seconds) => {
      if (fakeClock === null) return;
      writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}`);
    },
  };
};
