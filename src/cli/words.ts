/** Numbers and times as people read them. What is not known is `-`. */
import { CliError, exitCodes } from './exit.ts';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export const bytes = (value: number | null): string => {
  if (value === null) return '-';
  const power = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), units.length - 1);
  return power === 0 ? `${value} B` : `${(value / 1024 ** power).toFixed(1)} ${units[power]}`;
};

export const orDash = (value: string | number | null): string => (value === null || value === '' ? '-' : String(value));

/** `3/4`, `-/4`, `-`. */
export const share = (part: string, whole: string): string => (part === '-' && whole === '-' ? '-' : `${part}/${whole}`);

/** How long ago, in the largest unit that is at least one: `42s`, `7m`, `3h`, `12d`. */
export const age = (rfc3339: string, now = Date.now()): string => {
  const seconds = Math.max(0, Math.floor((now - Date.parse(rfc3339)) / 1000));
  if (Number.isNaN(seconds)) return '-';
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
};

/** `500ms`, `30s`, `2m`, `1h` → milliseconds. A number without a unit is refused: the API counts in milliseconds, people in seconds. */
export const durationMs = (option: string, text: string): number => {
  const [, number, unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text) ?? [];
  const factor = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit];
  if (number === undefined || factor === undefined) {
    throw new CliError(`${option}: expected a duration with its unit, such as 500ms, 30s or 2m, found "${text}"`, exitCodes.usage);
  }
  return Math.round(Number(number) * factor);
};

export const wholeNumber = (option: string, text: string, most: number): number => {
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  throw new CliError(`${option}: expected a whole number up to ${most}, found "${text}"`, exitCodes.usage);
};
