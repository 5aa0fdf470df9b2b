/** Reads Prometheus text (exposition format 0.0.4) strictly: a line that does not belong is an error. */

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Scrape {
  readonly types: ReadonlyMap<string, string>;
  readonly series: readonly Series[];
  /** The one series with at least these labels; null where there is none. */
  readonly value: (name: string, labels?: Readonly<Record<string, string>>) => number | null;
}

const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+|NaN|[+-]Inf)$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/gy;

export const readPrometheus = (text: string): Scrape => {
  const types = new Map<string, string>();
  const series: Series[] = [];
  const keys = new Set<string>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE (\S+) (gauge|counter|histogram|summary)$/.exec(line);
    if (type?.[1] !== undefined && type[2] !== undefined) {
      if (types.has(type[1])) throw new Error(`two types of ${type[1]}`);
      types.set(type[1], type[2]);
      continue;
    }
    const [, name, labels = '', value] = sample.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`not Prometheus text: ${line}`);
    const key = line.slice(0, line.lastIndexOf(' '));
    if (keys.has(key)) throw new Error(`the same series twice: ${key}`);
    keys.add(key);
    series.push({ name, labels: Object.fromEntries([...labels.matchAll(label)].map(([, k, v]) => [k, v])), value: Number(value) });
  }
  const value = (name: string, wanted: Readonly<Record<string, string>> = {}): number | null => {
    const found = series.filter((one) => one.name === name && Object.entries(wanted).every(([k, v]) => one.labels[k] === v));
    if (found.length > 1) throw new Error(`${found.length} series of ${name} with ${JSON.stringify(wanted)}`);
    return found[0]?.value ?? null;
  };
  return { types, series, value };
};
