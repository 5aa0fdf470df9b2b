/**
 * `replay FILE`: tells the story that a journal holds, and folds its events back through the charts of this version.
 *
 * Asks no daemon. Ends with 1 at the first line where what was recorded and what the charts say differ.
 */
import { assertNever } from '../../cause.ts';
import { type Divergence, type Replay, replay, type StoryLine } from '../../machines/replay.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { printable } from '../table.ts';
import { folding, readJournal } from './journal-file.ts';

export const replayFile = async ({ stdout }: CliContext, file: string): Promise<void> => {
  const told = replay(await readJournal(file), folding);
  for (const line of told.story) stdout.write(`${printable(storyText(line))}\n`);
  if (told.divergence !== null) throw new CliError(`${file}: ${divergenceText(told.divergence)}`, exitCodes.failed);
  stdout.write(`${summary(told)}\n`);
};

const storyText = ({ seq, at, actor, event, from, to }: StoryLine): string => `${seq}  ${at}  ${actor}  ${from || '-'} -> ${to}  ${event}`;

export const divergenceText = ({ seq, actor, event, what, recorded, replayed }: Divergence): string =>
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
