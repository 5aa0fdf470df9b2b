/** How far something that is fetched or verified has come, in a line for people. */
import { bytes, share } from './words.ts';

export interface ProgressShown {
  readonly step: string;
  readonly done_bytes: number | null;
  readonly total_bytes: number | null;
  readonly bytes_per_second: number | null;
}

export const progressLine = ({ step, done_bytes: done, total_bytes: total, bytes_per_second: rate }: ProgressShown): string =>
  [
    `${step} ${share(bytes(done), bytes(total))}`,
    ...(done === null || total === null || total === 0 ? [] : [`${Math.floor((done / total) * 100)}%`]),
    ...(rate === null ? [] : [`${bytes(rate)}/s`]),
  ].join(', ');
