/**
 * `explain FILE SEQ`: what one event of a journal did, as the charts of this version have it. Asks no daemon.
 *
 * Ends with 1 when the line is not to be had, or when the fold has parted from the record at or before it.
 */
import { type Asked, type Explanation, explain, type Step, type Taken } from '../../machines/explain.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { printable } from '../table.ts';
import { folding, readJournal } from './journal-file.ts';
import { divergenceText, gapText } from './replay.ts';

export const explainEvent = async ({ stdout }: CliContext, file: string, seq: number): Promise<void> => {
  const { found, told } = explain(await readJournal(file), seq, folding);
  if (found === null) {
    const gap = told.gaps.findLast(({ after }) => after < seq);
    throw new CliError(
      `${file}: expected a line with seq ${seq} whose actor's beginning is in the file, found none${gap === undefined ? '' : `; ${gapText(gap)}`}`,
      exitCodes.failed,
    );
  }
  for (const line of explanationLines(found)) stdout.write(`${printable(line)}\n`);
  if (told.divergence !== null && told.divergence.seq <= seq) throw new CliError(`${file}: ${divergenceText(told.divergence)}`, exitCodes.failed);
};

const explanationLines = ({ line, from, steps, inVain, changed, failure }: Explanation): readonly string[] => [
  `${line.seq}  ${line.at}  ${line.actor}  ${line.event.type}`,
  fact('from', from || '-'),
  fact('to', line.state),
  fact('context', changed.length === 0 ? 'unchanged' : `changed ${changed.join(', ')}`),
  ...(failure === null ? [] : [fact('failed', failure)]),
  ...steps.flatMap(stepLines),
  ...(steps.length === 0 ? ['nothing in this state takes this event'] : []),
  ...inVain.map((asked) => fact('  asked', askedText(asked))),
];

const stepLines = (step: Step, index: number): readonly string[] => [
  `step ${index + 1}`,
  ...step.guards.map((asked) => fact('  asked', askedText(asked))),
  ...step.taken.map((taken) => fact('  taken', takenText(taken))),
  ...(step.from === step.to ? [] : [fact('  moves', `${step.from || '-'} -> ${step.to}`)]),
  ...(step.actions.length === 0 ? [] : [fact('  does', step.actions.join(', '))]),
  ...(step.invokes.length === 0 ? [] : [fact('  starts', step.invokes.join(', '))]),
];

const longestParams = 80;

/** What a guard was asked with, unless it is the whole event. */
const askedText = ({ name, params, holds }: Asked): string => {
  const text = params === undefined ? '' : JSON.stringify(params);
  return `${name}${text === '' || text.length > longestParams ? '' : ` ${text}`}: ${holds ? 'yes' : 'no'}`;
};

const takenText = ({ source, on, targets }: Taken): string =>
  `${source} ${on === '' ? 'at once' : `on ${on}`} -> ${targets.length === 0 ? '(stays)' : targets.join(', ')}`;

const fact = (label: string, value: string): string => `${label.padEnd(10)}${value}`;
