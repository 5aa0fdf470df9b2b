/** A journal's file as `replay` and `explain` take it: lines of JSON, of a form that this version knows, and the charts to fold them. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { charts } from '../../machines/charts.ts';
import type { ReplayOptions } from '../../machines/replay.ts';
import { contextDigest, journalForm } from '../../observe/journal-lines.ts';
import { at, numberAt, textAt } from '../../observe/look.ts';
import { parseLine } from '../../observe/read-lines.ts';
import { CliError, exitCodes } from '../exit.ts';

export const folding: ReplayOptions = {
  machines: charts,
  digest: contextDigest,
};

/** A damaged or torn line is undefined: the fold passes over it. */
export const readJournal = async (file: string): Promise<readonly unknown[]> => {
  const lines: unknown[] = [];
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) lines.push(parseLine(line));
  } catch (thrown) {
    throw new CliError(`${file}: cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`, exitCodes.failed);
  }
  if (!lines.some((line) => line !== undefined))
    throw new CliError(`${file}: expected a journal (events.jsonl), found no line of JSON`, exitCodes.failed);
  refuseNewer(file, lines);
  return lines;
};

const refuseNewer = (file: string, lines: readonly unknown[]): void => {
  const newer = lines.find((line) => (numberAt(line, 'opened', 'journal') ?? 0) > journalForm);
  if (newer === undefined) return;
  const version = textAt(newer, 'opened', 'version');
  throw new CliError(
    `${file}: expected a journal of form ${journalForm} at most, found form ${String(at(newer, 'opened', 'journal'))}; read it with pool-managerd ${version ?? 'as new as the one'} that wrote it`,
    exitCodes.failed,
  );
};
