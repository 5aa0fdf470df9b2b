/** The one place that reads clocks for events. */
import type { Stamp } from './machines/vocabulary.ts';

/** Now. `mono` is CLOCK_MONOTONIC, comparable between processes of one boot. */
export const stamp = (): Stamp => ({ at: Date.now(), mono: Number(process.hrtime.bigint() / 1000n) / 1000 });
