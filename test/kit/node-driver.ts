/**
 * A node of the real chart under a simulated clock. Its pools, its registration and its watchers are stand-ins that keep what
 * they were told and say what the test has them say.
 */
import { createActor, fromCallback, fromPromise, type InspectionEvent, SimulatedClock } from 'xstate';
import type { NodeEvent, PoolEvent, RegistrationEvent } from '../../src/machines/events.ts';
import type { BootState, GpusOrder, RosterNote } from '../../src/machines/node/actors.ts';
import { nodeMachine } from '../../src/machines/node/machine.ts';
import type { PoolInput } from '../../src/machines/pool/context.ts';
import type { PoolMachine } from '../../src/machines/pool/machine.ts';
import type { RegistrationInput } from '../../src/machines/registration/context.ts';
import type { RegistrationMachine } from '../../src/machines/registration/machine.ts';
import type { BootPool, Cause, GpuFact, HandoffOutcome, Inventory, PoolSpec, Stamp } from '../../src/machines/vocabulary.ts';
import { card, gpuSpec, inventoryOf } from './gpu-facts.ts';

export interface StandIn<Heard, Input> {
  readonly input: Input;
  readonly heard: Heard[];
  readonly say: (event: NodeEvent) => void;
}

type Found = BootState & { readonly setAside: readonly Cause[]; readonly cleaned: readonly string[] };

export interface NodeDriverOptions {
  readonly inspect?: (event: InspectionEvent) => void;
  /** What is found on disk; a promise that never settles, or one that rejects, is a store that hangs or is broken. */
  readonly boot?: Promise<Found>;
  readonly registration?: Partial<RegistrationInput>;
}

export const registrationInput: RegistrationInput = {
  enabled: true,
  orchestratorUrl: 'http://127.0.0.1:8080',
  registerOnStartup: true,
  heartbeatIntervalMs: 10_000,
  nodeId: 'node-1',
};

let ticks = 0;
export const tick = (): Stamp => {
  ticks += 1;
  return { at: 1_700_000_000_000 + ticks, mono: ticks };
};

export const bootPool = (facts: Partial<BootPool> & { readonly spec?: PoolSpec | null } = {}): BootPool => {
  const spec = facts.spec === undefined ? gpuSpec({ id: facts.poolId ?? 'pool-0' }) : facts.spec;
  return {
    poolId: spec?.id ?? 'pool-0',
    origin: 'file',
    spec,
    specHash: spec === null ? null : 'h1',
    overrides: null,
    former: null,
    run: null,
    memory: null,
    handoff: null,
    ...facts,
  };
};

export const found = (pools: readonly BootPool[], setAside: readonly Cause[] = []): Promise<Found> =>
  Promise.resolve({ pools, setAside, cleaned: [], ...tick() });

/** A stand-in that the node spawns under the name of one of its machines. */
const stoodIn = <Heard extends { type: string }, Input>(note: (made: StandIn<Heard, Input>) => void) =>
  fromCallback<Heard, Input>(({ input, receive, sendBack }) => {
    const made: StandIn<Heard, Input> = { input, heard: [], say: (event) => sendBack(event) };
    note(made);
    receive((event) => {
      if (event.type === breaking) throw new Error('a bug');
      made.heard.push(event);
    });
  });

/** Has a stand-in throw, as a chart with a bug would. */
const breaking = 'test.break';

export const driveNode = (options: NodeDriverOptions = {}) => {
  const pools = new Map<string, StandIn<PoolEvent, PoolInput>>();
  const recalls: StandIn<{ type: 'recall.none' }, Omit<BootPool, 'run' | 'memory'>>[] = [];
  const inputs: PoolInput[] = [];
  let registration: StandIn<RegistrationEvent, RegistrationInput> | null = null;
  const settled: { readonly file: string; readonly outcome: HandoffOutcome }[] = [];
  const notes: RosterNote[] = [];
  const looks: GpusOrder[] = [];
  const clock = new SimulatedClock();
  const machine = nodeMachine.provide({
    actors: {
      // Machines in the chart, callbacks here: both are actors that hear and speak.
      pool: stoodIn<PoolEvent, PoolInput>((made) => {
        pools.set(made.input.poolId, made);
        inputs.push(made.input);
      }) as unknown as PoolMachine,
      registration: stoodIn<RegistrationEvent, RegistrationInput>((made) => {
        registration = made;
      }) as unknown as RegistrationMachine,
      loadState: fromPromise(() => options.boot ?? found([])),
      recallPool: stoodIn<{ type: 'recall.none' }, Omit<BootPool, 'run' | 'memory'>>((made) => {
        recalls.push(made);
      }),
      watchGpus: fromCallback(({ receive }) => receive((order) => looks.push(order))),
      watchKernel: fromCallback(() => {}),
      watchHandoffs: fromCallback(({ receive }) => receive(({ file, outcome }) => settled.push({ file, outcome }))),
      keepRoster: fromCallback(({ receive }) => receive((note) => notes.push(note))),
    },
  });
  const actor = createActor(machine, {
    id: 'node',
    clock,
    input: { nodeId: 'node-1', registration: { ...registrationInput, ...options.registration } },
    ...(options.inspect && { inspect: options.inspect }),
  });
  actor.subscribe({ error: () => {} });
  actor.start();

  const pool = (id: string): StandIn<PoolEvent, PoolInput> => {
    const made = pools.get(id);
    if (made === undefined) throw new Error(`the node raised no pool ${id}; it raised ${[...pools.keys()].join(', ') || 'none'}`);
    return made;
  };
  return {
    actor,
    clock,
    inputs,
    recalls,
    settled,
    notes,
    /** What those who look at the cards were asked for. */
    looks,
    pool,
    raised: () => [...pools.keys()],
    heard: (id: string): string[] => pool(id).heard.map(({ type }) => type),
    registration: () => {
      if (registration === null) throw new Error('registration has not begun');
      return registration;
    },
    registrationHeard: (): string[] => registration?.heard.map(({ type }) => type) ?? [],
    context: () => actor.getSnapshot().context,
    value: () => actor.getSnapshot().value,
    send: (event: NodeEvent) => actor.send(event),
    discover: (...gpus: readonly GpuFact[]): Inventory => {
      const inventory = { ...inventoryOf(...(gpus.length === 0 ? [card(0), card(1)] : gpus)), ...tick() };
      actor.send({ type: 'gpu.discovered', inventory, ...tick() });
      return inventory;
    },
    break: (actorId: string) => Reflect.get(actor.getSnapshot().children, actorId)?.send({ type: breaking }),
    /** The promise of what is on disk has been heard. */
    booted: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return actor.getSnapshot().value;
    },
  };
};

export type NodeDriver = ReturnType<typeof driveNode>;
