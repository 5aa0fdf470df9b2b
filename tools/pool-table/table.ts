/** The pool's table, state by event and state by command, as Markdown. Made of what was tried; nothing is written by hand. */

import { judgeCommand, poolCommandNames } from '../../src/machines/pool/commands.ts';
import type { PoolState } from '../../src/machines/vocabulary.ts';
import { commands, facts, notices } from './events.ts';
import type { Exploration, Trial } from './explore.ts';

export const poolTable = ({ configurations, trials }: Exploration): string => {
  const managed = trials.filter(({ attached }) => !attached);
  const attached = trials.filter((trial) => trial.attached);
  return `${[
    '# What a pool does with what it gets',
    `Made by \`node tools/write-pool-table.ts\` from the chart itself: every event was given to each of ${configurations.length} configurations that can be reached and differ in what a guard looks at.`,
    'A cell names where the pool is afterwards; *stays*: it takes note and stays; ·: ignored, on purpose. Several entries: which one depends on what was ordered and what is known. The two halves of `provisioning` are one row.',
    '## Commands',
    'As of the API. 409: refused at the rim. A reload is refused there too while another one is under way, unless the pool is offline. Of a pool that is `ready` the node takes it first, for an engine beside this one; this is the way where there is no room.',
    grid(managed, Object.keys(commands), refusedAtTheRim),
    '## What the node says',
    grid(managed, Object.keys(notices)),
    '## What is seen of the engine, and of provisioning',
    grid(managed, Object.keys(facts)),
    '## Ends of its own work, and timers',
    list(managed),
    '## Attached pools',
    'Every command is refused at the rim; what the chart would do is shown all the same.',
    grid(attached, Object.keys(commands)),
    grid(attached, Object.keys(notices)),
    grid(attached, Object.keys(facts)),
    list(attached),
  ].join('\n\n')}\n`;
};

const grid = (trials: readonly Trial[], events: readonly string[], refused: (place: string, event: string) => boolean = () => false): string => {
  const rows = placesOf(trials).map((place) => [
    `\`${place}\``,
    ...events.map((event) => (refused(place, event) ? '409' : cell(trials.filter((one) => one.from === place && one.event === event)))),
  ]);
  return table(['state', ...events.map((event) => `\`${event}\``)], rows);
};

const list = (trials: readonly Trial[]): string => {
  const isOwn = ({ event }: Trial): boolean => !(event in commands) && !(event in notices) && !(event in facts);
  const rows = placesOf(trials).flatMap((place) => {
    const own = trials.filter((one) => one.from === place && isOwn(one));
    return [...new Set(own.map(({ event }) => event))].map((event) => [
      `\`${place}\``,
      `\`${event}\``,
      cell(own.filter((one) => one.event === event)),
    ]);
  });
  return table(['state', 'what ends', 'then'], rows);
};

const cell = (trials: readonly Trial[]): string => {
  const words = trials.map(({ from, to }) => (to === null ? '·' : to === from ? '*stays*' : `\`${to}\``));
  return [...new Set(words)].sort(byLetter).join('<br>');
};

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const order: readonly PoolState[] = ['uninitialized', 'provisioning', 'starting', 'ready', 'draining', 'offline'];

/** In the order of a pool's life; within a state as the alphabet has it, which moves no row when a test comes further. */
const placesOf = (trials: readonly Trial[]): readonly string[] =>
  [...new Set(trials.map(({ from }) => from))].sort((one, other) => rank(one) - rank(other) || byLetter(one, other));

const rank = (place: string): number => order.indexOf(stateOf(place));
const byLetter = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
const stateOf = (place: string): PoolState => order.find((state) => place.split('.')[0] === state) ?? 'offline';

const refusedAtTheRim = (place: string, event: string): boolean => {
  const command = poolCommandNames.find((name) => event === name);
  const state = stateOf(place);
  return (
    command !== undefined &&
    !judgeCommand({ origin: 'file', state, substate: place.slice(state.length + 1), reloading: false, leaving: false }, command).ok
  );
};
