/**
 * Walks the pool chart by its pure transition function, from every birth with every event, and tells of each configuration
 * reached what each event makes of it. Nothing is started. Configurations that differ in nothing a guard looks at are one.
 */
import { type EventFromLogic, initialTransition, type SnapshotFrom, transition } from 'xstate';
import type { PoolEvent } from '../../src/machines/events.ts';
import { pathOf } from '../../src/machines/policies/describe.ts';
import { poolMachine } from '../../src/machines/pool/machine.ts';
import { reasonRow } from '../../src/machines/reasons.ts';
import { births } from './births.ts';
import { commands, facts, notices, workEnds } from './events.ts';

type Snapshot = SnapshotFrom<typeof poolMachine>;
type Event = EventFromLogic<typeof poolMachine>;

export interface Trial {
  readonly from: string;
  readonly attached: boolean;
  /** `pool.drain` by its column `drain`; `stopEngine done`; `after drainDeadline`. */
  readonly event: string;
  /** Null: ignored. */
  readonly to: string | null;
}

export interface Exploration {
  readonly configurations: readonly Snapshot[];
  readonly trials: readonly Trial[];
}

export const explore = (): Exploration => {
  const seen = new Map<string, Snapshot>();
  const queue: Snapshot[] = [];
  const trials = new Map<string, Trial>();
  const visit = (snapshot: Snapshot): void => {
    const key = keyOf(snapshot);
    if (seen.has(key)) return;
    seen.set(key, snapshot);
    queue.push(snapshot);
  };
  for (const input of births) visit(initialTransition(poolMachine, input)[0]);
  for (let snapshot = queue.shift(); snapshot !== undefined; snapshot = queue.shift()) {
    if (snapshot.status !== 'active') continue;
    for (const [event, tried] of triedIn(snapshot)) {
      const trial = tryOne(snapshot, event, tried);
      trials.set(JSON.stringify(trial.told), trial.told);
      if (trial.next !== null) visit(trial.next);
    }
  }
  return { configurations: [...seen.values()], trials: [...trials.values()] };
};

/** Provisioning is one place: its two halves go their ways side by side. */
export const placeOf = (snapshot: Snapshot): string => {
  const path = pathOf(snapshot.value);
  return path.startsWith('provisioning') ? 'provisioning' : path;
};

const tryOne = (from: Snapshot, event: string, tried: Event): { readonly told: Trial; readonly next: Snapshot | null } => {
  const told = { from: placeOf(from), attached: from.context.origin === 'attached', event };
  if (!from.can(tried)) return { told: { ...told, to: null }, next: null };
  const [next] = transition(poolMachine, from, tried);
  return { told: { ...told, to: placeOf(next) }, next };
};

const outside: readonly (readonly [string, PoolEvent])[] = Object.entries({ ...commands, ...notices, ...facts }).flatMap(([name, events]) =>
  events.map((event) => [name, event] as const),
);

const triedIn = (snapshot: Snapshot): readonly (readonly [string, Event])[] => [
  ...outside.filter(([name, event]) => event.type !== 'pool.reload' || isSame(snapshot, event.specHash) === (name === 'reload, same spec')),
  ...ownEvents(snapshot),
];

const isSame = ({ context }: Snapshot, specHash: string): boolean => (context.nextSpec ?? context).specHash === specHash;

/** Ends of the work under way and timers that run, as the chart has them; for xstate's own events there is no type. */
const ownEvents = (snapshot: Snapshot): readonly (readonly [string, Event])[] =>
  snapshot._nodes.flatMap((node) => [...node.transitions.keys()]).flatMap(eventsOf);

const eventsOf = (type: string): readonly (readonly [string, Event])[] => {
  if (type.startsWith('xstate.after.')) return [[`after ${type.split('.')[2]}`, { type } as unknown as Event]];
  const [, kind, actorId] = /^xstate\.(done|error)\.actor\.(\w+)$/.exec(type) ?? [];
  const ends = Object.entries(workEnds).find(([name]) => name === actorId)?.[1] ?? [];
  return ends
    .filter((end) => (kind === 'done') === 'output' in end)
    .map((end) => [`${actorId} ${kind === 'done' ? 'done' : 'failed'}`, { type, actorId, ...end } as unknown as Event]);
};

/** What guards will look at from here on, and no more. */
const keyOf = (snapshot: Snapshot): string => {
  const { context } = snapshot;
  const path = pathOf(snapshot.value);
  const order = context.removing ? 'remove' : context.shuttingDown ? 'shutDown' : context.wanted;
  return JSON.stringify([
    path,
    context.origin === 'attached',
    order,
    order === 'up' && standingOf(snapshot),
    path.startsWith('uninitialized') && context.gpus === null,
    path.endsWith('identifying') && [context.recorded?.phase, context.recorded?.drain?.why, context.recorded?.proof === null],
    path.startsWith('draining.emptying') && [context.proof === null, context.drain?.why],
    (path.startsWith('ready') || path.endsWith('recovering')) && [
      Math.min(context.health.failures, 2),
      Math.min(context.health.passes, context.leaving.again ? 2 : 1),
    ],
    path.endsWith('recovering') && context.leaving.again,
  ]);
};

/** What decides where a pool that is wanted up settles, and what a spec is compared with. */
const standingOf = ({ context }: Snapshot): readonly unknown[] => {
  const reason = context.stuckOver === null ? context.reason : context.stuckOver.reason;
  return [
    context.nextSpec?.specHash ?? context.specHash,
    context.nextSpec === null,
    context.reload !== null && context.reload.previous !== null && context.reload.gaveUp === null,
    reason && (reason.code === 'vram_not_released' ? 'held' : reasonRow(reason.code).endsIn),
    context.gpus === null && context.gpuCause !== null,
  ];
};
