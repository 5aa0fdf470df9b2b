/**
 * What must hold, as conditions of one look that may be true for a while and not for longer. Pure.
 *
 * A daemon needs time to see what was done to its engines; for as long as it takes that time, something here is true.
 */
import { publicIdOf } from '../../src/machines/policies/berths.ts';
import type { PoolStatus } from '../../src/machines/views.ts';
import { quickTimeouts } from './faces.ts';
import type { Look, Said } from './look.ts';
import type { EngineProcess } from './outside.ts';

export interface Condition {
  /** Equal for the same condition of a later look. */
  readonly key: string;
  /** Time with a daemon that answers, in milliseconds. */
  readonly limitMs: number;
  readonly text: string;
}

/** True in one look is too long; a look is no moment, so it takes a second one to be sure. */
const never = 150;
/** Between a fact and what the daemon says of it, on a busy machine. */
const soon = 6_000;
const drainWaits = quickTimeouts.drain_ms + 2_000;
/** Acknowledgement, drain, TERM, KILL, release. */
const ended = 2_000 + drainWaits + quickTimeouts.stop_ms + quickTimeouts.vram_release_ms + soon;
/** A new engine comes up beside the one that serves, or the one before drains behind it. */
const hidden = quickTimeouts.start_max_ms + ended;
/** Failed probes until a pool is not ready any more; an attached one is probed at leisure. */
const noticed = 8_000;
const noticedAttached = 20_000;
const mostOpenFiles = 400;

export const conditionsOf = (look: Look): readonly Condition[] => [
  ...secondEngines(look),
  ...(look.api === null ? [] : aboutDaemon(look, look.api)),
  ...(look.silence === null ? [] : [{ key: 'silence', limitMs: soon, text: `the API does not answer: ${look.silence}` }]),
];

const secondEngines = ({ processes }: Look): readonly Condition[] =>
  [...Map.groupBy(processes, ({ poolId }) => poolId)]
    .filter(([, members]) => new Set(members.map(({ incarnation }) => incarnation)).size > 1)
    .map(([poolId, members]) => ({
      key: `second engine of ${poolId}: ${members.map(({ pid }) => pid).join(' ')}`,
      limitMs: never,
      text: `${poolId} has engines of more than one start: ${members.map(named).join(', ')}`,
    }));

const aboutDaemon = (look: Look, said: Said): readonly Condition[] => [
  ...orphans(look),
  ...lostEngines(look, said),
  ...ghosts(look, said),
  ...unwantedEngines(look, said),
  ...said.pools.flatMap(aboutPool(said)),
  ...memory(look, said),
  ...(said.node.lifecycle === 'serving' ? [] : [{ key: 'not serving', limitMs: soon, text: `the node is ${said.node.lifecycle}` }]),
  ...(said.openFiles <= mostOpenFiles ? [] : [{ key: 'files', limitMs: never, text: `the daemon has ${said.openFiles} files open` }]),
];

const orphans = ({ processes, records }: Look): readonly Condition[] =>
  processes
    .filter(({ poolId, incarnation }) => !records.some((run) => run.poolId === poolId && run.incarnation === incarnation))
    .map((found) => ({ key: `orphan ${found.pid}`, limitMs: soon, text: `${named(found)} is in no run record` }));

const lostEngines = ({ processes, records }: Look, { pools }: Said): readonly Condition[] =>
  records
    .filter((run) => processes.some(({ pid, startTime }) => pid === run.pid && startTime === run.startTime))
    .filter((run) => !pools.some((pool) => pool.pool_id === publicIdOf(run.poolId) && pool.live && pool.incarnation === run.incarnation))
    .map((run) => ({
      key: `lost ${run.poolId} ${run.incarnation}`,
      limitMs: hidden,
      text: `the recorded engine of ${run.poolId} (pid ${run.pid}, ${run.incarnation}) lives and its pool says ${saidOf(pools, run.poolId)}`,
    }));

const ghosts = ({ processes }: Look, { pools }: Said): readonly Condition[] =>
  pools
    .filter(({ origin, live, incarnation }) => origin !== 'attached' && live && !processes.some((found) => found.incarnation === incarnation))
    .map((pool) => ({
      key: `ghost ${pool.pool_id} ${pool.incarnation}`,
      limitMs: soon,
      text: `${pool.pool_id} says that its engine lives and there is no process of it: ${saidOf(pools, pool.pool_id)}`,
    }));

const unwantedEngines = ({ processes }: Look, { pools }: Said): readonly Condition[] =>
  processes
    .filter(({ poolId }) => pools.some((pool) => pool.pool_id === publicIdOf(poolId) && pool.wanted === 'down'))
    .map((found) => ({
      key: `unwanted ${found.pid}`,
      limitMs: ended,
      text: `${found.poolId} is wanted down and ${named(found)} lives; its pool says ${saidOf(pools, found.poolId)}`,
    }));

const aboutPool =
  ({ deafEndpoints, foreignEndpoints }: Said) =>
  (pool: PoolStatus): readonly Condition[] => [
    ...(pool.ready && deafEndpoints.has(pool.pool_id)
      ? [
          {
            key: `deaf ${pool.pool_id} ${pool.incarnation}`,
            limitMs: pool.origin === 'attached' ? noticedAttached : noticed,
            text: `${pool.pool_id} is ready and its endpoint ${pool.endpoint} does not answer`,
          },
        ]
      : []),
    ...(pool.ready && foreignEndpoints.has(pool.pool_id)
      ? [{ key: `foreign ${pool.pool_id}`, limitMs: noticed, text: `${pool.pool_id} is ready and somebody else answers at ${pool.endpoint}` }]
      : []),
    ...(isLegal(pool) ? [] : [{ key: `state ${pool.pool_id}`, limitMs: never, text: `${pool.pool_id} is in ${pool.state}.${pool.substate}` }]),
    ...(pool.state === 'draining'
      ? [
          {
            key: `draining ${pool.pool_id} ${pool.since}`,
            limitMs: longestDrain,
            text: `${pool.pool_id} does not come out of draining: ${pool.substate}`,
          },
        ]
      : []),
  ];

const children: Readonly<Record<string, RegExp>> = {
  uninitialized: /^idle$/,
  provisioning: /^/,
  starting: /^(adopting|admitting|spawning|loading|proving)\b/,
  ready: /^(healthy|suspect)$/,
  draining: /^(emptying|explaining|stopping|releasing|stuck)\b/,
  offline: /^(stopped|backingOff|blocked|failed)$/,
};

/** Recovering from failed probes takes its grace of 30 s. */
const longestDrain = 30_000 + ended;

const isLegal = (pool: PoolStatus): boolean =>
  (children[pool.state]?.test(pool.substate) ?? false) &&
  pool.ready === (pool.state === 'ready') &&
  (pool.origin === 'attached' || !pool.ready || (pool.live && pool.residency === 'simulated')) &&
  (pool.slots_free ?? 0) <= (pool.slots_total ?? Number.POSITIVE_INFINITY) &&
  !(pool.state === 'offline' && pool.live && pool.origin !== 'attached');

/** Every reserved byte has one owner, and no card is promised twice. */
const memory = ({ records, processes }: Look, { gpus }: Said): readonly Condition[] =>
  gpus.flatMap((gpu) => {
    const living = records.filter(({ pid, gpus: on }) => on.some(({ uuid }) => uuid === gpu.uuid) && processes.some((found) => found.pid === pid));
    const held = living.reduce((sum, { reservedBytes }) => sum + (reservedBytes ?? 0), 0);
    const total = gpu.memory_total_bytes ?? 0;
    return [
      ...(held <= total
        ? []
        : [{ key: `card ${gpu.index}`, limitMs: never, text: `engines on GPU ${gpu.index} were granted ${held} of ${total} bytes` }]),
      ...(gpu.memory_reserved_bytes <= total
        ? []
        : [{ key: `promised ${gpu.index}`, limitMs: never, text: `GPU ${gpu.index}: ${gpu.memory_reserved_bytes} of ${total} bytes are reserved` }]),
      ...(held <= gpu.memory_reserved_bytes
        ? []
        : [
            {
              key: `unreserved ${gpu.index}`,
              limitMs: soon,
              text: `engines on GPU ${gpu.index} hold ${held} bytes, ${gpu.memory_reserved_bytes} are reserved`,
            },
          ]),
    ];
  });

const named = ({ pid, comm, state, incarnation, poolId }: EngineProcess): string => `${comm} ${pid} (${state}) of ${poolId} ${incarnation}`;

const saidOf = (pools: readonly PoolStatus[], berth: string): string => {
  const pool = pools.find(({ pool_id }) => pool_id === publicIdOf(berth));
  return pool === undefined
    ? 'nothing: it is not known'
    : `${pool.state}.${pool.substate}, wanted ${pool.wanted}, incarnation ${pool.incarnation}, ${pool.reason?.code ?? 'no reason'}: ${pool.reason?.message ?? ''}`;
};
