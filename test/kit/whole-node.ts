/**
 * The real charts of a node and of its pools, together, under a simulated clock. What they ask of the world succeeds at once but where the
 * test says what a start comes to: for what no one chart shows, such as an order whose engine, daemon and file all have a part in it.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type AnyActorRef, createActor, fromCallback, fromPromise, type OutputFrom, SimulatedClock } from 'xstate';
import type { EngineFact, NodeEvent, PoolCommand } from '../../src/machines/events.ts';
import type { BootState, RosterNote } from '../../src/machines/node/actors.ts';
import { nodeMachine } from '../../src/machines/node/machine.ts';
import { pathOf } from '../../src/machines/policies/describe.ts';
import type { Failure, poolActors } from '../../src/machines/pool/actors.ts';
import type { PoolContext } from '../../src/machines/pool/context.ts';
import { poolMachine } from '../../src/machines/pool/machine.ts';
import type { ReasonCode } from '../../src/machines/reasons.ts';
import type { BootPool, Cause, GpuFact, Inventory, PoolSpec } from '../../src/machines/vocabulary.ts';
import { card, gpuRun, inventoryOf } from './gpu-facts.ts';
import { registrationInput, tick } from './node-driver.ts';
import { because, engine, handoff, load, model, proof } from './pool-words.ts';

export interface WholeNodeOptions {
  readonly boot: readonly BootPool[];
  /** Why an engine of a spec cannot be started; null: it can. */
  readonly fails?: (spec: PoolSpec) => ReasonCode | null;
  /** Whose the recorded processes are. */
  readonly verdict?: 'ours' | 'gone';
}

/** More turns of the loop than any chain of answers takes. */
const turnsToSettle = 60;

/** What an effect comes to, by its name. */
type Output<Name extends keyof typeof poolActors> = Promise<OutputFrom<(typeof poolActors)[Name]>>;

const inventoryNow = (...gpus: readonly GpuFact[]): Inventory => ({ ...inventoryOf(...gpus), ...tick() });

export const wholeNode = async ({ boot, fails = () => null, verdict = 'ours' }: WholeNodeOptions) => {
  const clock = new SimulatedClock();
  const notes: RosterNote[] = [];
  const watchers = new Map<string, (fact: EngineFact) => void>();
  /** `isBusy`: engines have work, so that drains wait. */
  const world = { fails, isBusy: false };
  let engines = 0;
  let files: ((event: NodeEvent) => void) | null = null;

  const pool = poolMachine.provide({
    actors: {
      provisionEngine: fromPromise(async () => ({ ...engine, ...tick() })),
      provisionModel: fromPromise(async ({ input }) => {
        const why = world.fails(input.spec);
        if (why !== null) throw { cause: because(why), ...tick() } satisfies Failure;
        return { ...model, ...tick() };
      }),
      measureGpus: fromPromise(async (): Output<'measureGpus'> => ({ inventory: inventoryNow(card(0), card(1)), needBytes: 1_000, ...tick() })),
      spawnEngine: fromPromise(async ({ input: { poolId, spec, specHash, gpus } }) => {
        engines += 1;
        return { run: gpuRun({ poolId, spec, specHash, gpus: [...gpus], incarnation: `inc-${engines}` }), ...tick() };
      }),
      adoptEngine: fromPromise(async (): Output<'adoptEngine'> => ({ verdict, cause: null, ...tick() })),
      announceHandoff: fromPromise(async ({ input: { run } }) => {
        const { poolId, endpoint, pid, startTime, incarnation } = run;
        const file = { ...handoff, poolId, endpoint, pid, pidStartTime: startTime, incarnation };
        setImmediate(() => files?.({ type: 'handoff.appeared', handoff: file, ...tick() }));
        return tick();
      }),
      proveReadiness: fromPromise(async () => ({ ...proof, ...tick() })),
      stopEngine: fromPromise(async (): Output<'stopEngine'> => ({ survivors: [], killed: false, exit: null, ...tick() })),
      awaitTreeGone: fromPromise(async () => tick()),
      awaitRelease: fromPromise(async (): Output<'awaitRelease'> => ({ released: true, heldBytes: 0, ...tick() })),
      dropRecord: fromPromise(async () => tick()),
      watchEngine: fromCallback(({ input, sendBack }) => void watchers.set(input.run.poolId, sendBack)),
      watchStart: fromCallback(() => {}),
      probeHealth: fromCallback(({ input, sendBack, receive }) => {
        const say = (pace: string): void =>
          void setImmediate(() => {
            sendBack({ type: 'health.passed', outcome: 'ok', load: load(0), ...tick() });
            if (pace === 'emptying' && !world.isBusy) sendBack({ type: 'engine.loadChanged', load: load(0), ...tick() });
          });
        receive(({ pace }) => say(pace));
        say(input.pace);
      }),
      keepMemory: fromCallback(() => {}),
    } satisfies { readonly [Name in keyof typeof poolActors]: (typeof poolActors)[Name] },
  });
  const found: BootState & { readonly setAside: readonly Cause[]; readonly cleaned: readonly string[] } = {
    pools: boot,
    setAside: [],
    cleaned: [],
    ...tick(),
  };
  const actor = createActor(
    nodeMachine.provide({
      actors: {
        pool,
        loadState: fromPromise(async () => found),
        recallPool: fromCallback(() => {}),
        watchGpus: fromCallback(() => {}),
        watchKernel: fromCallback(() => {}),
        watchHandoffs: fromCallback(({ sendBack }) => {
          files = sendBack;
        }),
        keepRoster: fromCallback(({ receive }) => receive((note) => notes.push(note))),
      },
    }),
    { id: 'node', clock, input: { nodeId: 'node-1', registration: { ...registrationInput, enabled: false } } },
  ).start();

  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < turnsToSettle; turns += 1) await turn();
  };
  const send = async (event: NodeEvent): Promise<void> => {
    actor.send(event);
    await settle();
  };
  const discover = (...gpus: readonly GpuFact[]): Promise<void> => send({ type: 'gpu.discovered', inventory: inventoryNow(...gpus), ...tick() });
  const entryOf = (berth: string) => actor.getSnapshot().context.roster[berth];
  const contextOf = (berth: string): PoolContext => snapshotOf(berth).context;
  const snapshotOf = (berth: string) => {
    const child: AnyActorRef | undefined = Reflect.get(actor.getSnapshot().children, entryOf(berth)?.actorId ?? '');
    if (child === undefined) throw new Error(`the node has no pool in ${berth}`);
    return child.getSnapshot();
  };
  await discover(card(0), card(1));
  return {
    world,
    notes,
    send,
    discover,
    entryOf,
    contextOf,
    where: (berth: string): string => pathOf(snapshotOf(berth).value),
    command: (poolId: string, command: PoolCommand) => send({ type: 'pool.commanded', poolId, command, ...tick() }),
    /** What whoever watches the engine in this berth says. */
    tell: async (berth: string, ...facts: readonly EngineFact[]): Promise<void> => {
      for (const fact of facts) watchers.get(berth)?.(fact);
      await settle();
    },
    pass: async (ms: number): Promise<void> => {
      clock.increment(ms);
      await settle();
    },
  };
};
