/** Writes docs/measurements.md from a full run. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isShared, type Machine } from './machine.ts';
import type { Measured, Row } from './row.ts';
import { cellsOf, inMarkdown } from './table.ts';

const file = resolve(import.meta.dirname, '../../docs/measurements.md');

export const writeDocument = (at: Date, machine: Machine, measured: readonly (readonly [Row, Measured])[]): void => {
  writeFileSync(file, `${opening(at, machine)}\n${measured.map(([row, found]) => section(row, found)).join('\n')}`);
};

const opening = (at: Date, machine: Machine): string => `# Measurements

<!-- Written by npm run bench. Do not edit. -->

What the daemon costs, against something bare in the same run. Real processes on both sides, both sides interleaved, load from a
second process, medians and percentiles after a warm-up; CPU and memory as the operating system counts them. \`npm run bench\`
measures all of it again and rewrites this page, \`npm run bench -- --quick\` a part of it in less than a minute, and fails when a
ratio is three times as bad as the one recorded last in \`bench/history.jsonl\`.

Measured on ${at.toISOString().slice(0, 10)}: ${machine.cores} cores (${machine.cpu}), ${machine.memory_gib} GiB, Linux ${machine.kernel}, Node ${machine.node}.
${
  isShared(machine)
    ? `\n**The machine was shared**: its load average was ${machine.load} on ${machine.cores} cores before the first row. Others' work is in the absolute figures, most of all in the 99th percentiles; ratios suffer less, since both sides met the same.\n`
    : `The machine did nothing else (load average ${machine.load}).\n`
}
\`met\` and \`missed\` judge the aim, \`shown\` stands for comparison. A difference (\`… more\`) is that of the figure to what it is measured against.
`;

const section = (row: Row, { findings, remarks }: Measured): string =>
  [
    `## ${row.title}\n`,
    `${inMarkdown(findings.map(cellsOf))}\n`,
    `${row.method} ${remarks.join(' ')}\n`,
    ...(row.limits === null ? [] : [`**What limits it.** ${row.limits}\n`]),
  ].join('\n');
