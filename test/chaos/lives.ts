/**
 * What the journal tells of one life of the daemon: it folds, it agrees with what the API said last, and pools went only where
 * the chart's arrows lead.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyMachineSnapshot } from 'xstate';
import { charts } from '../../src/machines/charts.ts';
import type { NodeContext } from '../../src/machines/node/context.ts';
import { type PoolSnapshot, poolView } from '../../src/machines/pool/view.ts';
import { type Replay, replay } from '../../src/machines/replay.ts';
import type { PoolStatus } from '../../src/machines/views.ts';
import { contextDigest } from '../../src/observe/journal-lines.ts';
import { parseLine } from '../../src/observe/read-lines.ts';
import type { Said } from './look.ts';

export interface LifeReport {
  readonly problems: readonly string[];
  readonly folded: number;
  readonly transitions: number;
}

export interface Lives {
  /** Of the daemon that has just ended; `last`: what its API said last. */
  read(last: Said | null): LifeReport;
}

export const followLives = (stateDir: string): Lives => {
  const file = join(stateDir, 'journal', 'events.jsonl');
  let offset = 0;
  return {
    read: (last) => {
      const text = textFrom(file, offset);
      offset += Buffer.byteLength(text);
      const lines = text
        .split('\n')
        .filter((line) => line !== '')
        .map(parseLine);
      const told = replay(lines, { machines: charts, digest: contextDigest });
      return {
        problems: [...foldProblems(told), ...arrowProblems(told), ...(last === null ? [] : apiProblems(told, lines, last))],
        folded: told.folded,
        transitions: told.story.length,
      };
    },
  };
};

const textFrom = (file: string, offset: number): string => {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    // Killed before it had opened its journal.
    return '';
  }
  try {
    const { size } = fstatSync(fd);
    if (size < offset) throw new Error(`expected ${file} to be no shorter than ${offset} bytes, found ${size}`);
    const bytes = Buffer.alloc(size - offset);
    readSync(fd, bytes, 0, bytes.length, offset);
    // A line that was cut off is the next daemon's to put aside.
    return bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1).toString('utf8');
  } finally {
    closeSync(fd);
  }
};

const foldProblems = ({ divergence, passedOver }: Replay): readonly string[] => [
  ...(divergence === null ? [] : [`the journal does not fold: ${JSON.stringify(divergence)}`]),
  ...(passedOver === 0 ? [] : [`${passedOver} lines of the journal have no beginning`]),
];

/** The public states of the chart. `offline` may be passed through within one event, as by a rollback. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  '': ['uninitialized', 'starting', 'provisioning', 'offline'],
  uninitialized: ['provisioning', 'offline', 'ended'],
  provisioning: ['starting', 'offline', 'ended'],
  starting: ['ready', 'draining', 'offline', 'provisioning', 'ended'],
  ready: ['draining', 'offline', 'starting'],
  draining: ['ready', 'offline', 'provisioning', 'ended'],
  offline: ['provisioning', 'starting', 'ended'],
};

const arrowProblems = ({ story, reached }: Replay): readonly string[] =>
  story
    .filter(({ actor }) => actor.includes('#'))
    .map((line) => ({ ...line, from: publicOf(line.from), to: publicOf(line.to) }))
    .filter(
      ({ actor, from, to, event }) =>
        from !== to && !(arrows[from]?.includes(to) ?? false) && !isMove(from, to, event) && !isLetGo(reached.get(actor), from, to),
    )
    .map(({ seq, actor, event, from, to }) => `${actor} went from ${from} to ${to} by ${event} (line ${seq})`);

/** A file that names another endpoint has an attached pool proved anew; no other pool is moved by one. */
const isMove = (from: string, to: string, event: string): boolean => from === 'ready' && to === 'starting' && event === 'handoff.appeared';

/** An attached pool is let go as it is: its engine is somebody else's, and nothing is drained. */
const isLetGo = (life: AnyMachineSnapshot | undefined, from: string, to: string): boolean =>
  life?.context.origin === 'attached' && from === 'ready' && to === 'ended';

const publicOf = (path: string): string => path.split('.')[0] ?? '';

/** Pools of which nothing was written since the API was asked must be as it said. */
const apiProblems = ({ reached }: Replay, lines: readonly unknown[], { pools, askedMono }: Said): readonly string[] => {
  const lastMono = new Map<string, number>();
  for (const line of lines) {
    const { actor, mono } = Object(line);
    if (typeof actor === 'string' && typeof mono === 'number') lastMono.set(actor, mono);
  }
  const hidden = hiddenActors(reached);
  return [...reached].flatMap(([actor, snapshot]) => {
    if (!actor.includes('#') || hidden.has(actor) || snapshot.status !== 'active' || (lastMono.get(actor) ?? 0) >= askedMono) return [];
    const folded = poolView({ value: snapshot.value, context: snapshot.context } satisfies PoolSnapshot, { nodeId: '', since: 0, gpu: () => null });
    const said = pools.find(({ pool_id }) => pool_id === folded.pool_id);
    if (said === undefined) return [`${folded.pool_id} is in the journal and not in the API`];
    return JSON.stringify(essence(said)) === JSON.stringify(essence(folded)) && said.restarts <= folded.restarts
      ? []
      : [`the API said ${JSON.stringify(essence(said))} and the journal folds to ${JSON.stringify(essence(folded))}`];
  });
};

/** Engines that replace another or are replaced: the API shows the one that serves. */
const hiddenActors = (reached: Replay['reached']): ReadonlySet<string> => {
  const roster: NodeContext['roster'] = reached.get('node')?.context.roster ?? {};
  return new Set(Object.values(roster).flatMap(({ actorId, role }) => (role === 'serving' ? [] : [actorId])));
};

/** Of restarts the API tells those that are on disk. */
const essence = ({ pool_id, state, substate, live, ready, wanted, incarnation, reason, endpoint, active_leases }: PoolStatus): object => ({
  pool_id,
  state,
  substate,
  live,
  ready,
  wanted,
  incarnation,
  reason: reason?.code ?? null,
  endpoint,
  active_leases,
});
