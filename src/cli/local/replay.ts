/**
 * `replay FILE`: tells the story that a journal holds, and folds its events back through the charts of this version.
 *
 * Asks no daemon. Ends with 1 at the first line where what was recorded and what the charts say differ. Events that the journal
 * says are missing are told in their place: what is there agrees all the same, and that is what 0 says.
 */
import { assertNever } from '../../cause.ts';
import { type Divergence, type Gap, type Hole, type Replay, replay, type StoryLine } from '../../machines/replay.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { printable } from '../table.ts';
import { folding, readJournal } from './journal-file.ts';

export const replayFile = async ({ stdout }: CliContext, file: string): Promise<void> => {
  const told = replay(await readJournal(file), folding);
  for (const line of storyLines(told)) stdout.write(`${printable(line)}\n`);
  if (told.divergence !== null) throw new CliError(`${file}: ${divergenceText(told.divergence)}`, exitCodes.failed);
  stdout.write(`${summary(told)}\n`);
};

/** Gaps stand where they are in the file. */
const storyLines = ({ story, gaps }: Replay): readonly string[] => {
  const before = (place: number): readonly string[] =>
    gaps.filter(({ told }) => told === place).map((gap) => `${gap.seq}  ${gap.at}  ${gapText(gap)}`);
  return [...story.flatMap((line, place) => [...before(place), storyText(line)]), ...before(story.length)];
};

const storyText = ({ seq, at, actor, event, from, to }: StoryLine): string => `${seq}  ${at}  ${actor}  ${from || '-'} -> ${to}  ${event}`;

export const divergenceText = ({ seq, actor, event, what, recorded, replayed, hole }: Divergence): string =>
  `line with seq ${seq} (${actor}, ${event}) is where record and charts part: ${nounOf(what)} recorded as ${recorded}, replayed as ${replayed}; ${hole === null ? 'was it written by another version?' : `${holeText(hole)}, by which it may have come to this`}`;

export const gapText = (gap: Gap): string =>
  `${holeText(gap)} (the journal could not be written: ${gap.error}): ${gap.passedOver === 0 ? 'what follows goes on from where the actors were then' : `${gap.passedOver} of what follows cannot be folded`}`;

const holeText = ({ after, missing }: Hole): string => `${missing === 1 ? '1 event is' : `${missing} events are`} missing behind seq ${after}`;

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

const summary = ({ folded, passedOver, gaps }: Replay): string =>
  [
    `${folded} events replayed, the same states and contexts as recorded`,
    ...(passedOver === 0 ? [] : [`${passedOver} passed over, as their beginning is not in the file`]),
    ...(gaps.length === 0 ? [] : [`${gaps.reduce((sum, { missing }) => sum + missing, 0)} missing, as the journal could not be written`]),
  ].join('; ');
