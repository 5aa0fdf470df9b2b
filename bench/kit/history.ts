/** One line per full run, so that a regression is seen; and what is a gross one. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import type { Machine } from './machine.ts';
import { type Finding, ratioOf } from './row.ts';

const file = resolve(import.meta.dirname, '../history.jsonl');

const lineSchema = v.object({
  at: v.string(),
  figures: v.record(v.string(), v.object({ figure: v.number(), ratio: v.nullable(v.number()) })),
});

export type Recorded = v.InferOutput<typeof lineSchema>['figures'];

/** A quick run on a busy machine is off by half, and another machine by as much again. */
const gross = 3;

export const record = (at: Date, machine: Machine, findings: readonly Finding[]): void => {
  const figures = Object.fromEntries(
    findings.map((finding) => [finding.key, { figure: rounded(finding.figure), ratio: roundedOrNull(ratioOf(finding)) }]),
  );
  appendFileSync(file, `${JSON.stringify({ at: at.toISOString(), machine, figures })}\n`);
};

/** Of the latest full run; null: there was none. */
export const lastRecorded = (): Recorded | null => {
  const last = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) : undefined;
  return last === undefined || last === '' ? null : v.parse(lineSchema, JSON.parse(last)).figures;
};

/** Only ratios are compared: they hold from machine to machine. */
export const isGrosslyWorse = (finding: Finding, recorded: Recorded): boolean => {
  const ratio = ratioOf(finding);
  const before = recorded[finding.key]?.ratio ?? null;
  if (ratio === null || before === null) return false;
  return finding.better === 'less' ? ratio >= gross * before : ratio <= before / gross;
};

const rounded = (value: number): number => Number(value.toPrecision(4));
const roundedOrNull = (value: number | null): number | null => (value === null ? null : rounded(value));
