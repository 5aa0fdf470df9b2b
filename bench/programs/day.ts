/**
 * A node of the real charts that lives on simulated time, an hour at each message, observed as the daemon is (journal, metrics,
 * log lines). Its effects are stand-ins that succeed at once: engines answer every probe, the cards are looked at, the control
 * plane takes every heartbeat; each hour one engine is lost and another drained and started again.
 *
 * Answers with what the heap holds after a collection, in bytes.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createActor, fromCallback, fromPromise, SimulatedClock } from 'xstate';
import { createSince } from '../../src/control/since.ts';
import type { EngineFact, PoolCommand } from '../../src/machines/events.ts';
import { nodeMachine } from '../../src/machines/node/machine.ts';
import type { SpawnInput } from '../../src/machines/pool/actors.ts';
import { poolMachine } from '../../src/machines/pool/machine.ts';
import { registrationMachine } from '../../src/machines/registration/machine.ts';
import type { RunRecord, Stamp } from '../../src/machines/vocabulary.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { openObservers } from '../../src/observe/observers.ts';
import { card, gib, gpuSpec, inventoryOf } from '../../test/kit/gpu-facts.ts';
import { bootPool, found, registrationInput } from '../../test/kit/node-driver.ts';
import { engine, handoff, load, model, proof, run } from '../../test/kit/pool-words.ts';

const [stateDir = '', count = '8'] = process.argv.slice(2);
const ids = Array.from({ length: Number(count) }, (_, index) => `pool-${index}`);
const cards = ids.map((_, index) => card(index));
const hourSeconds = 3_600;
const lookSeconds = 10;

const clock = new SimulatedClock();
const now = (): Stamp => ({ at: 1_700_000_000_000 + clock.now(), mono: 1_000_000 + clock.now() });
/** An effect that comes to this at once. */
const atOnce = <Output extends Stamp, Input>(make: (input: Input) => Omit<Output, keyof Stamp>) =>
  fromPromise<Output, Input>(({ input }) => Promise.resolve({ ...make(input), ...now() } as Output));

/** What the watchers of each engine that runs say to its pool. */
interface Engine {
  say: (event: EngineFact) => void;
}
const engines = new Map<string, Engine>();
let started = 0;

const pool = poolMachine.provide({
  actors: {
    provisionEngine: atOnce(() => engine),
    provisionModel: atOnce(() => model),
    measureGpus: atOnce(() => ({ inventory: { ...inventoryOf(...cards), ...now() }, needBytes: gib })),
    spawnEngine: atOnce((input) => ({ run: begin(input) })),
    announceHandoff: atOnce(({ run: { poolId, incarnation, pid, startTime } }) => {
      node.send({ type: 'handoff.appeared', handoff: { ...handoff, poolId, incarnation, pid, pidStartTime: startTime }, ...now() });
      return {};
    }),
    proveReadiness: atOnce(() => proof),
    stopEngine: atOnce(() => ({ survivors: [], killed: false, exit: null })),
    awaitRelease: atOnce(() => ({ released: true, heldBytes: 0 })),
    watchEngine: fromCallback(() => {}),
    watchStart: fromCallback(() => {}),
    probeHealth: fromCallback(({ input, sendBack }) => {
      const { poolId } = input.run;
      const probed: Engine = { say: sendBack };
      engines.set(poolId, probed);
      sendBack({ type: 'health.passed', outcome: 'ok', load: load(0), ...now() });
      return () => {
        if (engines.get(poolId) === probed) engines.delete(poolId);
      };
    }),
    keepMemory: fromCallback(() => {}),
  },
});

const begin = ({ poolId, spec, specHash, gpus }: SpawnInput): RunRecord => {
  started += 1;
  return { ...run, poolId, spec, specHash, gpus, incarnation: `inc-${started}`, pid: 4_000 + started, startedAt: now().at, startedMono: now().mono };
};

const accepted = { result: 'accepted', body: {}, nextHeartbeatMs: null, draining: [] } as const;
const machine = nodeMachine.provide({
  actors: {
    pool,
    registration: registrationMachine.provide({
      actors: {
        registerNode: atOnce(() => accepted),
        sendHeartbeat: atOnce(() => ({ ...accepted, draining: ids })),
        deregisterNode: atOnce(() => accepted),
      },
    }),
    loadState: fromPromise(() => found(ids.map((id, index) => bootPool({ poolId: id, spec: gpuSpec({ id, devices: [index], slots: 2 }) })))),
    watchGpus: fromCallback(() => {}),
    watchKernel: fromCallback(() => {}),
    watchHandoffs: fromCallback(() => {}),
    keepRoster: fromCallback(() => {}),
  },
});
const views = {
  node: () => {
    throw new Error('expected no scrape');
  },
  pools: () => [],
  gpus: () => [],
};
const { inspect } = openObservers({
  stateDir,
  nodeId: 'bench',
  version: '0',
  bootId: 'bench',
  views,
  logger: createLogger({ level: 'info', nodeId: 'bench' }),
  inspectUrl: null,
  others: [createSince()],
});
const node = createActor(machine, { id: 'node', clock, inspect, input: { nodeId: 'bench', registration: registrationInput } });
node.start();

const second = async (at: number): Promise<void> => {
  clock.increment(1_000);
  if (at % lookSeconds === 0) node.send({ type: 'gpu.discovered', inventory: { ...inventoryOf(...cards), ...now() }, ...now() });
  // Every two seconds, as probes are by default; what is in an engine changes at each.
  if (at % 2 === 0)
    for (const { say } of engines.values()) {
      say({ type: 'health.passed', outcome: 'ok', load: load(0), ...now() });
      say({ type: 'engine.loadChanged', load: load((at / 2) % 2), ...now() });
    }
  await turn();
};

const misfortunes = (hour: number): Readonly<Record<number, () => void>> => {
  const [lost = '', drained = ''] = [ids[hour % ids.length], ids[(hour + 1) % ids.length]];
  const order = (command: PoolCommand): void => node.send({ type: 'pool.commanded', poolId: drained, command, ...now() });
  return {
    600: () => {
      const exit = { code: 1, signal: null };
      engines.get(lost)?.say({ type: 'engine.gone', exit, ...now() });
      engines.get(lost)?.say({ type: 'engine.exited', exit, cause: { code: 'engine_exited', message: 'ended' }, tail: [], ...now() });
    },
    1800: () => order({ type: 'pool.drain', deadlineMs: null, ...now() }),
    2400: () => order({ type: 'pool.start', ...now() }),
  };
};

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const live = async (hour: number): Promise<number> => {
  const happening = misfortunes(hour);
  for (let at = 1; at <= hourSeconds; at += 1) {
    happening[at]?.();
    await second(at);
  }
  if (engines.size !== ids.length) throw new Error(`expected ${ids.length} engines after hour ${hour}, found ${engines.size}`);
  if (started !== ids.length + 2 * (hour + 1)) throw new Error(`expected two starts an hour, found ${started} by the end of hour ${hour}`);
  collect();
  return process.memoryUsage().heapUsed;
};

process.on('message', (hour: number) => void live(hour).then((bytes) => process.send?.(bytes)));
