/**
 * Actors under a stream of events, in a process of their own: `ours` are the node and its pools with every effect taken out,
 * `bare` is a parent and its children with empty charts. Each event goes to the node, from it to a pool, whose answer goes
 * back and on to a watcher. `journaled` and `observed` are ours with the journal, or with all that the daemon has observing.
 *
 * Told milliseconds, it answers with events from outside per second.
 */
import { createActor, enqueueActions, fromCallback, fromPromise, type InspectionEvent, sendTo, setup } from 'xstate';
import { createSince } from '../../src/control/since.ts';
import { nodeMachine } from '../../src/machines/node/machine.ts';
import { poolMachine } from '../../src/machines/pool/machine.ts';
import type { Handoff } from '../../src/machines/vocabulary.ts';
import { openJournal } from '../../src/observe/journal.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createInspector } from '../../src/observe/observe.ts';
import { openObservers } from '../../src/observe/observers.ts';
import { bootPool, found, registrationInput } from '../../test/kit/node-driver.ts';

export type ActorKind = 'ours' | 'bare' | 'journaled' | 'observed';

const [kind = 'ours', count = '10', stateDir = ''] = process.argv.slice(2);
const ids = Array.from({ length: Number(count) }, (_, index) => `pool-${index}`);

const inspectOf = (): ((event: InspectionEvent) => void) | null => {
  if (kind === 'ours') return null;
  const common = { stateDir, nodeId: 'bench', version: '0', bootId: 'bench' };
  if (kind === 'journaled') return createInspector([openJournal(common)]).inspect;
  const views = {
    node: () => {
      throw new Error('expected no scrape');
    },
    pools: () => [],
    gpus: () => [],
  };
  return openObservers({ ...common, views, logger: createLogger({ level: 'info', nodeId: 'bench' }), inspectUrl: null, others: [createSince()] })
    .inspect;
};

const startOurs = (): ((poolId: string) => void) => {
  let settled = 0;
  const machine = nodeMachine.provide({
    actors: {
      pool: poolMachine.provide({ actors: { keepMemory: fromCallback(() => {}) } }),
      loadState: fromPromise(() => found(ids.map((poolId) => bootPool({ poolId })))),
      watchGpus: fromCallback(() => {}),
      watchHandoffs: fromCallback(({ receive }) => receive(() => (settled += 1))),
      keepRoster: fromCallback(() => {}),
    },
  });
  const inspect = inspectOf();
  const input = { nodeId: 'bench', registration: { ...registrationInput, enabled: false } };
  const node = createActor(machine, { id: 'node', input, ...(inspect === null ? {} : { inspect }) });
  node.start();
  let at = 1_700_000_000_000;
  return (poolId) => {
    at += 1;
    node.send({ type: 'handoff.appeared', handoff: handoffOf(poolId), at, mono: at });
  };
};

/** Somebody else's, so that the pool stays where it is and says so. */
const handoffOf = (poolId: string): Handoff => ({
  file: `${poolId}-r0.json`,
  poolId,
  replicaId: 'r0',
  engine: 'llamacpp',
  engineVersion: null,
  endpoint: 'http://127.0.0.1:8081',
  devices: [0],
  slotsTotal: 4,
  ready: true,
  modelId: null,
  pid: null,
  pidStartTime: null,
  incarnation: null,
});

type Relayed = { readonly type: 'asked'; readonly poolId: string } | { readonly type: 'answered'; readonly poolId: string };

const startBare = (): ((poolId: string) => void) => {
  const child = setup({ types: {} as { events: Relayed } }).createMachine({
    initial: 'there',
    states: { there: {} },
    on: { asked: { actions: ({ self, event }) => self._parent?.send({ type: 'answered', poolId: event.poolId }) } },
  });
  const parent = setup({
    types: {} as { events: Relayed },
    actors: { child, watcher: fromCallback<Relayed>(({ receive }) => receive(() => {})) },
    actions: {
      raise: enqueueActions(({ enqueue }) => {
        for (const id of ids) enqueue.spawnChild('child', { id });
      }),
    },
  }).createMachine({
    entry: 'raise',
    invoke: { id: 'watcher', src: 'watcher' },
    initial: 'there',
    states: { there: {} },
    on: {
      asked: {
        actions: sendTo(
          ({ event }) => event.poolId,
          ({ event }) => event,
        ),
      },
      answered: { actions: sendTo('watcher', ({ event }) => event) },
    },
  });
  const actor = createActor(parent);
  actor.start();
  return (poolId) => actor.send({ type: 'asked', poolId });
};

const send = kind === 'bare' ? startBare() : startOurs();

const run = (ms: number): number => {
  const begun = performance.now();
  let sent = 0;
  while (performance.now() - begun < ms) {
    for (let burst = 0; burst < 20; burst += 1, sent += 1) send(ids[sent % ids.length] ?? ids[0] ?? '');
  }
  return (sent / (performance.now() - begun)) * 1000;
};

process.on('message', (ms: number) => void setImmediate(() => process.send?.(run(ms))));
