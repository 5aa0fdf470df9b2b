/** An engine that writes so many numbered lines of 100 bytes to stdout, some 100 MB of them a second, and exits. */
import { writeSync } from 'node:fs';

const count = Number(process.argv[2]);
const batch = 500;
const pause = new Int32Array(new SharedArrayBuffer(4));
const began = performance.now();
for (let first = 0; first < count; first += batch) {
  const lines = Array.from(
    { length: Math.min(batch, count - first) },
    (_, index) => `line ${String(first + index).padStart(8, '0')} ${'x'.repeat(85)}\n`,
  );
  const bytes = Buffer.from(lines.join(''));
  for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written);
  const ahead = first / 1_000 - (performance.now() - began);
  if (ahead > 0) Atomics.wait(pause, 0, 0, ahead);
}
