/** The steps of the tour: what is done to the pool at each, and what must be seen of it. The order is the story. */
import { type Pool, poolSchema } from '../../cli/answers.ts';
import { withId } from '../../cli/client.ts';
import { nodeId } from '../daemon-process.ts';
import { engineProcesses } from '../engines.ts';
import { heartbeatText } from '../history.ts';
import { mainPool } from '../house.ts';
import { beginCompletion, type Completed, complete, isBusy, tokensFor } from './completion.ts';
import { endAndFold } from './ending.ts';
import { soon } from './soon.ts';
import { command, engineOf, seePool, type Tell, type Tour, tellHeartbeat } from './tour.ts';
import { TourFailure } from './trail.ts';
import type { Step } from './walk.ts';

const asked = 24;
const longRequestMs = 2_000;

export const tourSteps = (tour: Tour): readonly Step[] => {
  let measured: Completed | null = null;
  return [
    { name: 'the node comes up, declares its pools and registers', walk: (tell) => comeUp(tour, tell) },
    { name: `start ${mainPool}`, walk: (tell) => start(tour, tell) },
    {
      name: 'a completion, asked of its endpoint',
      walk: async (tell) => {
        measured = await completeOnce(tour, tell);
      },
    },
    { name: 'kill -9 its engine', walk: (tell) => kill(tour, tell) },
    { name: 'recovery, without anybody doing anything', walk: (tell) => recover(tour, tell) },
    { name: 'drain with a request in flight, which is not cut', walk: (tell) => drain(tour, measured, tell) },
    { name: 'stopped: no engine is left', walk: (tell) => stopped(tour, tell) },
    { name: 'start it again', walk: (tell) => start(tour, tell) },
    { name: 'the end: every pool drains, the node deregisters, the journal is folded', walk: (tell) => endAndFold(tour, tell) },
  ];
};

const comeUp = async (tour: Tour, tell: Tell): Promise<void> => {
  await seePool(tour, ['uninitialized'], tell);
  const { stage, signal } = tour;
  const node = await soon({ what: 'a registration at orchestratord', withinMs: tour.limitMs, signal }, () => stage.standIn.node(nodeId));
  tell(`orchestratord: node ${node.nodeId} registered, pools ${node.registration.pools.join(', ')}`);
  await tellHeartbeat(tour, 'not ready', tell);
};

const start = async (tour: Tour, tell: Tell): Promise<void> => {
  await command(tour, 'preload', (pool) => pool.preload.$post({ ...withId(mainPool), json: {} }), tell);
  await seePool(tour, ['provisioning', 'starting', 'ready'], tell);
  const pool = await look(tour);
  if (!pool.ready || pool.endpoint === null) throw new TourFailure(`the API: expected ${mainPool} ready with an endpoint, found ${pool.state}`);
  tell(`the API: ready at ${pool.endpoint}, engine pid ${engineOf(tour).pid}, residency ${pool.residency}`);
  await tellHeartbeat(tour, 'ready', tell);
};

const completeOnce = async (tour: Tour, tell: Tell): Promise<Completed> => {
  const completed = await complete(await endpointOf(tour), asked, tour.signal);
  tell(`${completed.tokens} tokens in ${Math.round(completed.ms)} ms: ${JSON.stringify(completed.text.slice(0, 60))}`);
  return completed;
};

const kill = async (tour: Tour, tell: Tell): Promise<void> => {
  const { pid } = engineOf(tour);
  tell(`kill -9 ${pid}`);
  const killedAt = performance.now();
  process.kill(pid, 'SIGKILL');
  const [left] = await seePool(tour, ['draining'], tell);
  tell(`noticed ${Math.round(performance.now() - killedAt)} ms after the kill`);
  if (left?.reason?.code !== 'engine_exited') throw new TourFailure(`expected the reason engine_exited, found ${left?.reason?.code ?? 'none'}`);
  await seePool(tour, ['offline'], tell);
  await tellHeartbeat(tour, 'not ready', tell);
};

const recover = async (tour: Tour, tell: Tell): Promise<void> => {
  await seePool(tour, ['provisioning', 'starting', 'ready'], tell);
  const { restarts } = await look(tour);
  if (restarts !== 1) throw new TourFailure(`the API: expected 1 restart of ${mainPool}, found ${restarts}`);
  tell(`the API: ready again with engine pid ${engineOf(tour).pid}, 1 restart`);
  await tellHeartbeat(tour, 'ready', tell);
};

const drain = async (tour: Tour, measured: Completed | null, tell: Tell): Promise<void> => {
  const { stage, signal, limitMs } = tour;
  const tokens = measured === null ? asked : tokensFor(longRequestMs, measured);
  const endpoint = await endpointOf(tour);
  const request = beginCompletion(endpoint, tokens, signal);
  await soon({ what: 'the request in the engine', withinMs: limitMs, signal }, () => isBusy(endpoint));
  tell(`a request for ${tokens} tokens is in the engine`);
  await command(tour, 'drain', (pool) => pool.drain.$post({ ...withId(mainPool), json: { deadline_ms: limitMs } }), tell);
  await seePool(tour, ['draining'], tell);
  if (request.isOver()) throw new TourFailure('expected the request to be in flight when the drain began, found that it had ended before');
  const load = await soon({ what: `the request in ${mainPool} as the API shows it`, withinMs: limitMs, signal }, async () => {
    const pool = await look(tour);
    return (pool.active_leases ?? 0) > 0 || request.isOver() ? pool : null;
  });
  tell(`the API: ${load.state}, ${load.active_leases ?? 'unknown'} in flight`);
  const completed = await request.done;
  tell(`the request got all of its ${completed.tokens} tokens after ${Math.round(completed.ms)} ms`);
  await tellHeartbeat(tour, 'not ready', tell);
  const node = stage.standIn.node(nodeId);
  if (node !== null) tell(`orchestratord: ${heartbeatText(node)}`);
};

const stopped = async (tour: Tour, tell: Tell): Promise<void> => {
  await seePool(tour, ['offline'], tell);
  const pool = await look(tour);
  if (pool.live || pool.substate !== 'stopped') throw new TourFailure(`the API: expected ${mainPool} stopped, found ${pool.state}.${pool.substate}`);
  const left = engineProcesses(tour.stage.house.stateDir).find(({ poolId }) => poolId === mainPool);
  if (left !== undefined) throw new TourFailure(`expected no engine of ${mainPool}, found pid ${left.pid}`);
  tell('no process of its engine is left');
};

const look = ({ stage }: Tour): Promise<Pool> => stage.api.ask((client) => client.v2.pools[':id'].status.$get(withId(mainPool))).read(poolSchema);

const endpointOf = async (tour: Tour): Promise<string> => {
  const { endpoint } = await look(tour);
  if (endpoint === null) throw new TourFailure(`the API: expected an endpoint of ${mainPool}, found none`);
  return endpoint;
};
