/**
 * The load, in a process of its own: told a port, a path, connections and a time, it asks over each connection one request
 * after the other and answers with counts and latencies in milliseconds.
 */
import { percentile } from '../kit/numbers.ts';
import { openWire, type Wire } from '../kit/wire.ts';

export interface LoadOrder {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly ms: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const drive = async (wire: Wire, path: string, until: number, latencies: number[]): Promise<void> => {
  for (let begun = performance.now(); begun < until; ) {
    const { status } = await wire.send('GET', path);
    if (status !== 200) throw new Error(`expected 200 from ${path}, found ${status}`);
    const now = performance.now();
    latencies.push(now - begun);
    begun = now;
  }
};

const load = async ({ port, path, connections, ms }: LoadOrder): Promise<LoadResult> => {
  const wires = await Promise.all(Array.from({ length: connections }, () => openWire(port)));
  const latencies: number[] = [];
  const begun = performance.now();
  await Promise.all(wires.map((wire) => drive(wire, path, begun + ms, latencies)));
  const seconds = (performance.now() - begun) / 1000;
  for (const wire of wires) wire.close();
  return { perSecond: latencies.length / seconds, p50: percentile(latencies, 50), p99: percentile(latencies, 99) };
};

process.on('message', (order: LoadOrder) => {
  load(order).then(
    (result) => process.send?.(result),
    (thrown: unknown) => {
      process.stderr.write(`${String(thrown)}\n`);
      process.exit(1);
    },
  );
});
