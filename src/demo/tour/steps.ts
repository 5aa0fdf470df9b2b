/** The steps of the tour: what is done to the pool at each, and what must be seen of it. The order is the story. */
import { withId } from '../../cli/client.ts';
import { nodeId } from '../daemon-process.ts';
import { engineProcesses } from '../engines.ts';
import { heartbeatText } from '../history.ts';
import { mainPool } from '../house.ts';
import { type Completed, complete, heavierThan, type Work, workFor } from './completion.ts';
import { drainAtWork } from './drain-at-work.ts';
import { endAndFold } from './ending.ts';
import { soon } from './soon.ts';
import { command, endpointOf, engineOf, look, seePool, type Tell, type Tour, tellHeartbeat } from './tour.ts';
import { TourFailure } from './trail.ts';
import type { Step } from './walk.ts';

const asked = 24;
const longWorkMs = 3_000;

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

/** What an engine does in a moment, on a machine with other things to do, is over before the drain begins: then once more, with more. */
const drain = async (tour: Tour, measured: Completed | null, tell: Tell): Promise<void> => {
  let work = firstWork(measured);
  while (!(await drainAtWork(tour, work, tell))) {
    const heavier = heavierThan(work);
    if (heavier === null) throw new TourFailure('expected a request to be in flight when the drain began, found that each had ended before');
    work = heavier;
    tell('all of it was done before the drain began; again, with more to do');
    await seePool(tour, ['offline'], tell);
    await start(tour, tell);
  }
  const node = tour.stage.standIn.node(nodeId);
  if (node !== null) tell(`orchestratord: ${heartbeatText(node)}`);
};

const firstWork = (measured: Completed | null): Work => (measured === null ? { requests: 1, tokens: asked } : workFor(longWorkMs, measured));

const stopped = async (tour: Tour, tell: Tell): Promise<void> => {
  await seePool(tour, ['offline'], tell);
  const pool = await look(tour);
  if (pool.live || pool.substate !== 'stopped') throw new TourFailure(`the API: expected ${mainPool} stopped, found ${pool.state}.${pool.substate}`);
  const left = engineProcesses(tour.stage.house.stateDir).find(({ poolId }) => poolId === mainPool);
  if (left !== undefined) throw new TourFailure(`expected no engine of ${mainPool}, found pid ${left.pid}`);
  tell('no process of its engine is left');
};
