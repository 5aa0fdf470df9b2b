/**
 * A small actor system with the ids and context fields of the daemon's: a node that spawns pools and a registration.
 * For tests of what observes machines; says nothing about how real pools behave.
 */
import { type AnyActorRef, assign, createActor, enqueueActions, fromPromise, type InspectionEvent, setup } from 'xstate';

export interface SmallContext {
  readonly poolId: string;
  readonly reason: { readonly code: string; readonly message: string; readonly at: number } | null;
  readonly lastError: { readonly code: string; readonly message: string } | null;
  readonly run: { readonly incarnation: string } | null;
  readonly spec: { readonly engine: string; readonly env: Readonly<Record<string, string>> };
  readonly restart: { readonly count: number };
  readonly drain: { readonly forced: boolean } | null;
  readonly reload: { readonly gaveUp: null | { readonly code: string } } | null;
  readonly samples: { readonly at: number | null };
}

export type SmallEvent =
  | { type: 'pool.start' }
  | { type: 'pool.drain' }
  | { type: 'pool.reload' }
  | { type: 'pool.break' }
  | { type: 'pool.remove' }
  | { type: 'drained'; forced: boolean }
  | { type: 'engine.exited' }
  | { type: 'engine.sampled'; outcome: string; at: number };

const machineOf = setup({
  types: {} as { context: SmallContext; events: SmallEvent; input: { poolId: string; env?: Readonly<Record<string, string>> } },
  actors: { spawnEngine: fromPromise<{ incarnation: string; api_key: string }>(async () => ({ incarnation: 'inc-1', api_key: 'sk-secret' })) },
  actions: {
    explode: () => {
      throw new Error('a bug in a chart');
    },
    tellNode: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'pool.changed', poolId: context.poolId });
    }),
  },
  delays: { retry: 20 },
});

export const smallPool = machineOf.createMachine({
  id: 'pool',
  context: ({ input }) => ({
    poolId: input.poolId,
    reason: null,
    lastError: null,
    run: null,
    spec: { engine: 'llamacpp', env: input.env ?? {} },
    restart: { count: 0 },
    drain: null,
    reload: null,
    samples: { at: null },
  }),
  initial: 'uninitialized',
  on: {
    'engine.sampled': { actions: assign({ samples: ({ event }) => ({ at: event.at }) }) },
    'pool.break': { actions: 'explode' },
    'pool.remove': '.ended',
  },
  states: {
    uninitialized: { initial: 'idle', states: { idle: {} }, on: { 'pool.start': 'provisioning' } },
    provisioning: { initial: 'engine', states: { engine: {} }, on: { 'pool.start': 'starting' } },
    starting: {
      initial: 'spawning',
      states: {
        spawning: {
          invoke: {
            id: 'spawn',
            src: 'spawnEngine',
            onDone: { target: 'proving', actions: assign({ run: ({ event }) => ({ incarnation: event.output.incarnation }) }) },
          },
        },
        proving: { always: '#pool.ready' },
      },
    },
    ready: {
      entry: ['tellNode', assign({ reason: null, reload: null })],
      initial: 'healthy',
      states: { healthy: {}, suspect: {} },
      on: {
        'pool.drain': { target: 'draining', actions: assign({ drain: { forced: false } }) },
        'pool.reload': { target: 'draining', actions: assign({ reload: { gaveUp: null }, drain: { forced: false } }) },
        'engine.exited': {
          target: 'offline.backingOff',
          actions: assign(({ context }) => ({
            reason: { code: 'engine_exited', message: 'the engine ended with code 1', at: 1 },
            restart: { count: context.restart.count + 1 },
          })),
        },
      },
    },
    draining: {
      initial: 'emptying',
      states: {
        emptying: {
          on: { drained: { target: 'releasing', actions: assign({ drain: ({ event }) => ({ forced: event.forced }) }) } },
        },
        releasing: {
          after: { retry: [{ guard: ({ context }) => context.reload !== null, target: '#pool.starting' }, { target: '#pool.offline.stopped' }] },
        },
      },
    },
    offline: {
      initial: 'stopped',
      states: { stopped: { entry: assign({ run: null }) }, backingOff: { after: { retry: '#pool.starting' } } },
      on: { 'pool.start': 'starting' },
    },
    ended: { type: 'final' },
  },
});

export const smallRegistration = setup({}).createMachine({
  id: 'registration',
  context: { lastCall: null, samples: {} },
  initial: 'registering',
  states: { registering: { on: { ok: 'registered' } }, registered: { initial: 'waiting', states: { waiting: {} } } },
});

export const smallNode = setup({
  types: {} as {
    context: { roster: readonly string[]; samples: object };
    events:
      | { type: 'add'; poolId: string; env?: Readonly<Record<string, string>> }
      | { type: 'pool.changed'; poolId: string }
      | { type: 'gpu.sampled' };
  },
  actors: { pool: smallPool, registration: smallRegistration },
}).createMachine({
  id: 'node',
  context: { roster: [], samples: {} },
  type: 'parallel',
  invoke: { id: 'registration', src: 'registration' },
  states: {
    lifecycle: { initial: 'serving', states: { serving: {} } },
    gpus: { initial: 'known', states: { known: {} } },
  },
  on: {
    add: {
      actions: [
        assign({ roster: ({ context, event }) => [...context.roster, event.poolId] }),
        enqueueActions(({ event, enqueue }) => {
          enqueue.spawnChild('pool', { id: `${event.poolId}#1`, input: { poolId: event.poolId, ...(event.env && { env: event.env }) } });
        }),
      ],
    },
    'pool.changed': {},
    'gpu.sampled': { actions: assign({ samples: { seen: true } }) },
  },
});

export const startSmallSystem = (inspect: (event: InspectionEvent) => void) => {
  const node = createActor(smallNode, { id: 'node', inspect });
  node.subscribe({ error: () => {} });
  node.start();
  return {
    node,
    add: (poolId: string, env?: Readonly<Record<string, string>>): AnyActorRef => {
      node.send({ type: 'add', poolId, ...(env && { env }) });
      const pool: AnyActorRef | undefined = Reflect.get(node.getSnapshot().children, `${poolId}#1`);
      if (pool === undefined) throw new Error(`no actor ${poolId}#1`);
      return pool;
    },
    stop: () => node.stop(),
  };
};
