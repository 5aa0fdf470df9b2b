/** Sums named series of a Prometheus text, over all their labels. Pure; null where none of them is there. */
export const sumSeries = (text: string, names: readonly string[]): number | null => {
  let sum: number | null = null;
  for (const line of text.split('\n')) {
    const found = /^([A-Za-z_:][\w:]*)(?:\{.*\})?[ \t]+(\S+)/.exec(line);
    if (found === null || !names.includes(found[1] ?? '')) continue;
    const value = Number(found[2]);
    if (Number.isFinite(value)) sum = (sum ?? 0) + value;
  }
  return sum;
};
