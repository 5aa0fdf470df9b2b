/**
 * Single values as nvidia-smi prints them, in CSV and XML alike: `143771 MiB`, `78.28 W`, `28`, `[N/A]`.
 *
 * Pure. What the driver does not know or will not say is null; so is a number that cannot be read as one.
 */

/** `N/A`, `[N/A]`, `[Not Supported]`, `[Unknown Error]`, `[Insufficient Permissions]`, `ERR!`, nothing at all. */
export const known = (text: string | undefined): string | null => {
  const value = text?.trim() ?? '';
  if (value === '' || value === 'N/A' || value === 'ERR!' || value.startsWith('[')) return null;
  if (/^(not supported|not found|unknown error|requested functionality has been deprecated)$/i.test(value)) return null;
  return value;
};

/** A number with or without its unit (`W`, `%`, `C`). */
export const quantity = (text: string | undefined): number | null => {
  const digits = /^-?\d+(?:\.\d+)?(?=\s|%|$)/.exec(known(text) ?? '')?.[0];
  return digits === undefined ? null : Number(digits);
};

const mebibyte = 1024 * 1024;

/** `143771 MiB` and, with `nounits`, `143771`: mebibytes to bytes. */
export const mebibytes = (text: string | undefined): number | null => {
  const value = quantity(text);
  return value === null || value < 0 ? null : Math.round(value * mebibyte);
};

/** A whole number, 0 or more: index, pid, instance id. */
export const whole = (text: string | undefined): number | null => {
  const value = known(text) ?? '';
  return /^\d{1,15}$/.test(value) ? Number(value) : null;
};
