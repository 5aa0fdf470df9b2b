/** Medians and percentiles. Pure. */

/** By nearest rank: always a value that was measured. */
export const percentile = (values: readonly number[], percent: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (found === undefined) throw new Error('expected at least one measured value, found none');
  return found;
};

export const median = (values: readonly number[]): number => percentile(values, 50);

/** By how much each value is more than the one before it: that of the straight line with the least squares. */
export const slope = (values: readonly number[]): number => {
  const middle = (values.length - 1) / 2;
  const spread = values.reduce((sum, _, index) => sum + (index - middle) ** 2, 0);
  if (spread === 0) throw new Error(`expected at least two measured values, found ${values.length}`);
  return values.reduce((sum, value, index) => sum + (index - middle) * value, 0) / spread;
};

/** Two significant places below 100, none above. */
export const shown = (value: number): string => {
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return size >= 10 ? value.toFixed(1) : size >= 0.1 || size === 0 ? value.toFixed(2) : value.toFixed(3);
};
