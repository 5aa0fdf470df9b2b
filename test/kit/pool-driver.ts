/**
 * Drives the real pool chart on simulated time: every effect it asks for lies here until the test answers it, every word to its
 * node is kept, and each configuration it comes to is held against the invariants. What was seen can be folded from its journal.
 *
 * The chart is invoked by a small parent that only listens.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { createActor, fromCallback, fromPromise, type InspectionEvent, SimulatedClock, setup } from 'xstate';
import type { PoolEvent, PoolReport } from '../../src/machines/events.ts';
import { pathOf } from '../../src/machines/policies/describe.ts';
import { type Failure, poolActors } from '../../src/machines/pool/actors.ts';
import type { PoolInput } from '../../src/machines/pool/context.ts';
import { poolMachine } from '../../src/machines/pool/machine.ts';
import { poolView } from '../../src/machines/pool/view.ts';
import { replay } from '../../src/machines/replay.ts';
import type { Cause, PoolMemory, Stamp } from '../../src/machines/vocabulary.ts';
import { contextDigest, eventLine, outcomeOf } from '../../src/observe/journal-lines.ts';
import { createInspector, type Observation } from '../../src/observe/observe.ts';
import { parseLine } from '../../src/observe/read-lines.ts';
import { broken } from './pool-invariants.ts';
import { poolInput } from './pool-words.ts';

export type WorkName =
  | 'provisionEngine'
  | 'provisionModel'
  | 'measureGpus'
  | 'spawnEngine'
  | 'adoptEngine'
  | 'announceHandoff'
  | 'proveReadiness'
  | 'stopEngine'
  | 'awaitTreeGone'
  | 'awaitRelease'
  | 'dropRecord';
export type WatcherName = 'watchEngine' | 'watchStart' | 'probeHealth' | 'keepMemory';

/** An effect with an end. */
export interface Work {
  readonly name: WorkName;
  readonly input: unknown;
  state: 'open' | 'answered' | 'abandoned';
  readonly answer: (output: object) => Promise<void>;
  readonly fail: (cause: Cause) => Promise<void>;
  /** Rejects with something that is no Failure. */
  readonly break: (error: unknown) => Promise<void>;
}

/** An effect that lasts. */
export interface Watcher {
  readonly name: WatcherName;
  readonly input: unknown;
  alive: boolean;
  readonly heard: unknown[];
}

type Bare<T> = T extends unknown ? Omit<T, 'at' | 'mono'> : never;
export type BareEvent = Bare<PoolEvent>;

const startedAt = 1_700_000_000_000;

/** Lets promises of the chart's actors settle. */
const settle = async (): Promise<void> => {
  await turn();
  await turn();
};

export const drivePool = (inspect: ((event: InspectionEvent) => void) | null, input: Partial<PoolInput> = {}) => {
  const clock = new SimulatedClock();
  const now = (): Stamp => ({ at: startedAt + clock.now(), mono: 1_000_000 + clock.now() });
  const works: Work[] = [];
  const watchers: Watcher[] = [];
  const reports: PoolReport[] = [];
  const violations: string[] = [];
  const lines: string[] = [];
  const outcomes: string[] = [];
  const path: string[] = [];

  const watch = (name: WatcherName, watched: unknown): Watcher => {
    const watcher: Watcher = { name, input: watched, alive: true, heard: [] };
    if (watchers.some((other) => other.alive && other.name === name)) violations.push(`two of ${name} at once`);
    watchers.push(watcher);
    return watcher;
  };
  const place = <Output>(name: WorkName, asked: unknown, signal: AbortSignal): Promise<Output> =>
    new Promise((resolve, reject) => {
      const close = (end: () => void): Promise<void> => {
        work.state = 'answered';
        end();
        return settle();
      };
      const work: Work = {
        name,
        input: asked,
        state: 'open',
        answer: (output) => close(() => resolve({ ...output, ...now() } as Output)),
        fail: (cause) => close(() => reject({ cause, ...now() } satisfies Failure)),
        break: (error) => close(() => reject(error)),
      };
      signal.addEventListener('abort', () => {
        if (work.state === 'open') work.state = 'abandoned';
      });
      if (works.some((other) => other.name === name && other.state === 'open')) violations.push(`two of ${name} at once`);
      works.push(work);
    });
  const laid = <Output, Input>(name: WorkName) => fromPromise<Output, Input>(({ input: asked, signal }) => place<Output>(name, asked, signal));
  const listened = <Received extends { type: string }, Input>(name: WatcherName) =>
    fromCallback<Received, Input>(({ input: watched, receive }) => {
      const watcher = watch(name, watched);
      receive((event) => watcher.heard.push(event));
      return () => {
        watcher.alive = false;
      };
    });

  const provided = poolMachine.provide({
    actors: {
      ...poolActors,
      provisionEngine: laid('provisionEngine'),
      provisionModel: laid('provisionModel'),
      measureGpus: laid('measureGpus'),
      spawnEngine: laid('spawnEngine'),
      adoptEngine: laid('adoptEngine'),
      announceHandoff: laid('announceHandoff'),
      proveReadiness: laid('proveReadiness'),
      stopEngine: laid('stopEngine'),
      awaitTreeGone: laid('awaitTreeGone'),
      awaitRelease: laid('awaitRelease'),
      dropRecord: laid('dropRecord'),
      watchEngine: listened('watchEngine'),
      watchStart: listened('watchStart'),
      probeHealth: listened('probeHealth'),
      keepMemory: listened('keepMemory'),
    },
  });
  const parent = setup({
    types: {} as { events: PoolReport },
    actors: { pool: provided },
    actions: { keep: ({ event }) => void reports.push(event) },
  }).createMachine({
    id: 'parent',
    invoke: { id: 'pool-0#1', src: 'pool', input: { ...poolInput, ...input } },
    on: { '*': { guard: ({ event }) => !event.type.startsWith('xstate.'), actions: 'keep' } },
  });

  const keepLine = (seen: Observation): void => {
    if (!seen.sample) lines.push(eventLine(lines.length + 1, seen));
    const outcome = outcomeOf(seen);
    if (outcome !== null) outcomes.push(outcome);
  };
  const journal = createInspector([{ name: 'lines', observe: keepLine }], { stamp: now });
  const node = createActor(parent, {
    clock,
    inspect: (event) => {
      journal.inspect(event);
      inspect?.(event);
    },
  });
  node.subscribe({ error: (error) => violations.push(`the chart threw: ${error instanceof Error ? error.message : String(error)}`) });
  node.start();
  const pool = node.getSnapshot().children['pool-0#1'];
  if (pool === undefined) throw new Error('the parent invoked no pool');
  const check = (snapshot: ReturnType<typeof pool.getSnapshot>): void => {
    if (snapshot.status === 'error') return;
    violations.push(...broken(snapshot));
    const here = pathOf(snapshot.value);
    if (path.at(-1) !== here) path.push(here);
  };
  pool.subscribe({ next: check, error: () => {} });
  check(pool.getSnapshot());

  const snapshot = () => pool.getSnapshot();
  const open = (name: WorkName): Work => {
    const work = works.findLast((one) => one.name === name && one.state === 'open');
    if (work === undefined)
      throw new Error(`expected ${name} to be under way, found ${works.filter((one) => one.state === 'open').map((one) => one.name)}`);
    return work;
  };

  return {
    clock,
    now,
    works,
    watchers,
    reports,
    violations,
    /** Ends of reloads, as the journal tells them. */
    outcomes,
    /** Every configuration it came to, in order. */
    path,
    snapshot,
    context: () => snapshot().context,
    where: () => pathOf(snapshot().value),
    view: () => poolView(snapshot(), { nodeId: 'n', since: startedAt, gpu: () => ({ totalBytes: 24, freeBytes: 12 }) }),
    send: (event: BareEvent) => {
      // As whoever watches it: first that it is gone, then why.
      if (event.type === 'engine.exited') pool.send({ type: 'engine.gone', exit: event.exit, ...now() });
      pool.send({ ...event, ...now() } as PoolEvent);
    },
    /** Of an engine that was said to be gone before: why. */
    explain: (event: Extract<BareEvent, { type: 'engine.exited' }>) => pool.send({ ...event, ...now() } as PoolEvent),
    pass: async (ms: number) => {
      clock.increment(ms);
      await settle();
    },
    open,
    isOpen: (name: WorkName) => works.some((one) => one.name === name && one.state === 'open'),
    watching: (name: WatcherName) => watchers.findLast((one) => one.name === name && one.alive) ?? null,
    /** What would be read back after a restart of the daemon. */
    memory: (): PoolMemory | null => {
      const heard = watchers.find((one) => one.name === 'keepMemory')?.heard.at(-1);
      return heard === undefined ? null : (heard as { readonly memory: PoolMemory }).memory;
    },
    /** The journal folded: null where it comes to the same states and contexts. */
    divergence: () => {
      const { divergence, passedOver, reached } = replay(lines.map(parseLine), { machines: { pool: poolMachine }, digest: contextDigest });
      if (divergence !== null) return divergence;
      const folded = reached.get('pool-0#1');
      if (passedOver > 0 || folded === undefined) return `${passedOver} lines passed over`;
      return pathOf(folded.value) === pathOf(snapshot().value) && contextDigest(folded.context) === contextDigest(snapshot().context)
        ? null
        : `folded to ${pathOf(folded.value)}, lived to ${pathOf(snapshot().value)}`;
    },
    stop: () => node.stop(),
  };
};

export type PoolDriver = ReturnType<typeof drivePool>;
