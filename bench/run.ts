/**
 * `npm run bench`: measures every row, prints the table, rewrites docs/measurements.md and adds a line to the history.
 *
 * `--quick` measures less in less than a minute, records nothing, and fails on a gross regression. Ids of rows as arguments
 * measure only those and record nothing.
 */
import { parseArgs } from 'node:util';
import { writeDocument } from './kit/document.ts';
import { isGrosslyWorse, lastRecorded, record } from './kit/history.ts';
import { clearAllHouses } from './kit/house.ts';
import { lookAtMachine } from './kit/machine.ts';
import type { Finding, Measured, Row, Scale } from './kit/row.ts';
import { cellsOf, inColumns } from './kit/table.ts';
import { rows } from './rows/index.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: 'boolean', default: false } } });
const scale: Scale = values.quick ? 'quick' : 'full';

const chosen = (): readonly Row[] => {
  if (positionals.length === 0) return rows.filter((row) => scale === 'full' || row.quick);
  return positionals.map((id) => {
    const row = rows.find((one) => one.id === id);
    if (row === undefined) throw new Error(`expected a row, found ${id}; there are ${rows.map((one) => one.id).join(', ')}`);
    return row;
  });
};

const measureAll = async (): Promise<readonly (readonly [Row, Measured])[]> => {
  const measured: (readonly [Row, Measured])[] = [];
  for (const row of chosen()) {
    const begun = performance.now();
    const found = await row.measure(scale).catch((thrown: unknown) => {
      process.stdout.write(`\n${row.title} (${row.id}) was not measured: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
      process.exitCode = 1;
      return null;
    });
    if (found === null) continue;
    measured.push([row, found]);
    process.stdout.write(`\n${row.title} (${row.id}, ${Math.round((performance.now() - begun) / 1000)} s)\n`);
    process.stdout.write(`${inColumns(found.findings.map(cellsOf))}\n${found.remarks.join(' ')}\n`);
  }
  return measured;
};

/** What looks grossly worse is measured again, twice, before it is believed. */
const regressions = async (measured: readonly (readonly [Row, Measured])[]): Promise<readonly Finding[]> => {
  const recorded = lastRecorded();
  if (recorded === null) return [];
  const believed: Finding[] = [];
  for (const [row, { findings }] of measured) {
    let worse = findings.filter((finding) => isGrosslyWorse(finding, recorded));
    for (let again = 0; again < 2 && worse.length > 0; again += 1) {
      const found = (await row.measure(scale)).findings;
      worse = worse.filter(({ key }) => found.some((finding) => finding.key === key && isGrosslyWorse(finding, recorded)));
    }
    believed.push(...worse);
  }
  return believed;
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void clearAllHouses().finally(() => process.exit(1)));

const at = new Date();
const machine = lookAtMachine();
const measured = await measureAll();
const isWhole = scale === 'full' && measured.length === rows.length;
if (isWhole) {
  record(
    at,
    machine,
    measured.flatMap(([, { findings }]) => findings),
  );
  writeDocument(at, machine, measured);
}
if (scale === 'quick') {
  const worse = await regressions(measured);
  for (const { what, key } of worse) process.stdout.write(`\ngrossly worse than recorded: ${what} (${key})\n`);
  if (worse.length > 0) process.exitCode = 1;
}
