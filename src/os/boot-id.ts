/** Which boot of the machine this is. Process ids, start times and monotonic clocks of another boot mean nothing in this one. */
import { readFileSync } from 'node:fs';

let known: string | null = null;

export const bootId = (): string => {
  known ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return known;
};
