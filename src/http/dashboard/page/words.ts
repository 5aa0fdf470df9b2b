/** Numbers, times and states in words. What is not known is a dash. Pure but for the clock and the reader's time zone. */
import type { PoolStatus } from '../../../machines/views.ts';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export const unknown = '–';

export const bytes = (value: number | null): string => {
  if (value === null) return unknown;
  const power = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), units.length - 1);
  return power === 0 ? `${value} B` : `${(value / 1024 ** power).toFixed(1)} ${units[power]}`;
};

export const known = (value: string | number | null): string => (value === null || value === '' ? unknown : String(value));

/** `42 s`, `7 min`, `3 h 12 min`, `12 d`. */
export const span = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d`;
};

export const ago = (at: string, now = Date.now()): string => span(now - Date.parse(at));

/** Made once: to make one takes longer than to use it a hundred times. */
const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

export const clock = (at: string | number): string => clockFormat.format(new Date(at));

export const pathOf = ({ state, substate }: Pick<PoolStatus, 'state' | 'substate'>): string => (substate === '' ? state : `${state}.${substate}`);

/** `backingOff` → `backing off`, `loading.answering` → `loading › answering`, `(engine.present,model.fetching)` → `engine › present + model › fetching`. */
export const inWords = (path: string): string =>
  path
    .replaceAll(/[()]/g, '')
    .replaceAll('.', ' › ')
    .replaceAll(',', ' + ')
    .replaceAll(/([a-z])([A-Z])/g, (_, last: string, first: string) => `${last} ${first.toLowerCase()}`);

/** xstate's own events as the drawings word them: `done spawnEngine`, `after retryDelay`. */
export const eventInWords = (event: string): string =>
  event
    .replace(/^xstate\.(done|error)\.actor\./, '$1 ')
    .replace(/^xstate\.done\.state\..*/, 'all done')
    .replace(/^xstate\.after\.([^.]*).*/, 'after $1')
    .replace(/^xstate\.init$/, 'begins');

export const plural = (count: number, one: string, more = `${one}s`): string => `${count} ${count === 1 ? one : more}`;

/** Which colour a pool has in the bars of GPUs: the same everywhere, by its place among all. */
export const hues = 8;

/** `Error: …` of anything that was thrown. */
export const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
