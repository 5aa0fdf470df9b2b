/** Why engines ended, read from what real ones wrote. */
import { describe, expect, it } from 'vitest';
import { classify, type ExitRow, toldBy } from '../../src/engines/exit-reasons.ts';
import { sglangExitRows } from '../../src/engines/exits/sglang.ts';
import { tgiExitRows } from '../../src/engines/exits/tgi.ts';
import { vllmExitRows } from '../../src/engines/exits/vllm.ts';
import { exitRows } from '../../src/engines/llamacpp/exits.ts';
import { isReasonCode } from '../../src/observe/look.ts';
import { type ExitSample, exitSamples } from '../kit/exit-samples.ts';

const tables: Readonly<Record<string, readonly ExitRow[]>> = {
  llamacpp: exitRows,
  vllm: vllmExitRows,
  sglang: sglangExitRows,
  tgi: tgiExitRows,
};
const rowsOf = ({ engine }: Pick<ExitSample, 'engine'>): readonly ExitRow[] => tables[engine] ?? [];
const causeOf = (sample: ExitSample) => classify(rowsOf(sample), sample.exit, sample.output);

const samples = exitSamples();
const told = samples.filter(({ telling }) => telling !== null);
const untold = samples.filter(({ telling }) => telling === null);

describe('The samples', () => {
  it('are more than thirty, of every engine, each with its source, short, and of a known reason', () => {
    expect(samples.length).toBeGreaterThan(75);
    expect(new Set(samples.map(({ engine }) => engine))).toEqual(new Set(Object.keys(tables)));
    for (const { name, from, reason, output } of samples) {
      expect(from, name).toMatch(/^https:\/\/github\.com\/|^llama-server \d/);
      expect(isReasonCode(reason), name).toBe(true);
      expect(output.length, name).toBeLessThan(16);
    }
  });

  it('speak to every row of every table', () => {
    const spoken = new Set(samples.map((sample) => toldBy(rowsOf(sample), sample.output)?.row));
    const silent = Object.entries(tables).flatMap(([engine, rows]) =>
      rows.filter((row) => !spoken.has(row)).map((row) => `${engine} ${row.pattern}`),
    );
    expect(silent).toEqual([]);
  });
});

describe('What an engine wrote before it ended', () => {
  it.each(told.map((sample) => [sample.name, sample] as const))('%s: is given its reason, by the line that tells it', (_, sample) => {
    const cause = causeOf(sample);
    expect(cause.code).toBe(sample.reason);
    expect(cause.message).toContain(sample.telling);
    expect(cause.details).toEqual(sample.exit);
  });

  it.each(told.map((sample) => [sample.name, sample] as const))('%s: is not given it by anything else', (_, sample) => {
    const found = toldBy(rowsOf(sample), sample.output);
    expect(found).not.toBeNull();
    const without = sample.output.filter((line) => found?.row.pattern.test(line) !== true);
    expect(without.length).toBeLessThan(sample.output.length);
    expect(toldBy(rowsOf(sample), without)?.row).not.toBe(found?.row);
    const noise = without.filter((line) => toldBy(rowsOf(sample), [line]) === null);
    expect(classify(rowsOf(sample), sample.exit, noise)).toMatchObject({
      code: 'engine_exited',
      message: expect.not.stringContaining(sample.telling ?? ''),
    });
  });

  it.each(untold.map((sample) => [sample.name, sample] as const))('%s: tells nothing: the end stays unknown, with the last line', (_, sample) => {
    expect(toldBy(rowsOf(sample), sample.output)).toBeNull();
    expect(causeOf(sample)).toMatchObject({
      code: 'engine_exited',
      message: expect.stringContaining(sample.output.at(-1)?.trim().slice(0, 60) ?? ''),
    });
  });

  it('does not matter when it ended in order', () => {
    for (const sample of samples) expect(classify(rowsOf(sample), { code: 0, signal: null }, sample.output).code).toBe('engine_completed');
  });
});

describe('An engine that wrote nothing', () => {
  it.each([
    ['SIGILL', null, 'engine_incompatible', 'instructions'],
    [null, 132, 'engine_incompatible', 'instructions'],
    ['SIGKILL', null, 'engine_exited', 'killed by SIGKILL'],
    [null, 137, 'engine_exited', 'exit code 137'],
    ['SIGSEGV', null, 'engine_exited', 'killed by SIGSEGV'],
    [null, null, 'engine_exited', 'not known'],
    [null, 3, 'engine_exited', 'exit code 3'],
  ] as const)('ended with %s and %s', (signal, code, reason, words) => {
    expect(classify(exitRows, { code, signal }, [])).toMatchObject({
      code: reason,
      message: expect.stringContaining(words),
      details: { code, signal },
    });
  });
});
