/**
 * `replay FILE`: tells the story that a journal holds, and folds its events back through the charts of this version.
 *
 * Asks no daemon. Ends with 1 at the first line where what was recorded and what the charts say differ.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { assertNever } from '../../cause.ts';
import { nodeMachine } from '../../machines/node/machine.ts';
import { poolMachine } from '../../machines/pool/machine.ts';
import { registrationMachine } from '../../machines/registration/machine.ts';
import { type Divergence, type Replay, replay, type StoryLine } from '../../machines/replay.ts';
import { contextDigest } from '../../observe/journal-lines.ts';
import { parseLine } from '../../observe/read-lines.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { printable } from '../table.ts';

export const replayFile = async ({ stdout }: CliContext, file: string): Promise<void> => {
  const lines = await readLines(file);
  if (!lines.some((line) => line !== undefined))
    throw new CliError(`${file}: expected a journal (events.jsonl), found no line of JSON`, exitCodes.failed);
  const told = replay(lines, { machines: { node: nodeMachine, pool: poolMachine, registration: registrationMachine }, digest: contextDigest });
  for (const line of told.story) stdout.write(`${printable(storyText(line))}\n`);
  if (told.divergence !== null) throw new CliError(`${file}: ${divergenceText(told.divergence)}`, exitCodes.failed);
  stdout.write(`${summary(told)}\n`);
};

/** A damaged line is undefined: the fold passes over it. */
const readLines = async (file: string): Promise<readonly unknown[]> => {
  const lines: unknown[] = [];
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) lines.push(parseLine(line));
  } catch (thrown) {
    throw new CliError(`${file}: cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`, exitCodes.failed);
  }
  return lines;
};

const storyText = ({ seq, at, actor, event, from, to }: StoryLine): string => `${seq}  ${at}  ${actor}  ${from || '-'} -> ${to}  ${event}`;

const divergenceText = ({ seq, actor, event, what, recorded, replayed }: Divergence): string =>
  `line with seq ${seq} (${actor}, ${event}) is where record and charts part: ${nounOf(what)} recorded as ${recorded}, replayed as ${replayed}; was it written by another version?`;

const nounOf = (what: Divergence['what']): string => {
  switch (what) {
    case 'state':
    case 'status':
      return what;
    case 'context':
      return 'digest of the context';
    case 'failure':
      return 'state';
    default:
      return assertNever(what);
  }
};

const summary = ({ folded, passedOver }: Replay): string =>
  `${folded} events replayed, the same states and contexts as recorded${passedOver === 0 ? '' : `; ${passedOver} passed over, as their beginning is not in the file`}`;
