/** A drain while the engine works, which cuts none of that work. */
import { withId } from '../../cli/client.ts';
import { mainPool } from '../house.ts';
import { beginWork, isBusy, type Work } from './completion.ts';
import { soon } from './soon.ts';
import { command, endpointOf, look, seePool, type Tell, type Tour, tellHeartbeat } from './tour.ts';

/** False: the pool drains, but all of the work was done before that was seen. Rejects with a TourFailure where any of it was cut. */
export const drainAtWork = async (tour: Tour, work: Work, tell: Tell): Promise<boolean> => {
  const { signal, limitMs } = tour;
  const endpoint = await endpointOf(tour);
  const working = beginWork(endpoint, work, signal);
  await soon({ what: 'the request in the engine', withinMs: limitMs, signal }, async () => working.isOver() || isBusy(endpoint));
  tell(`${inWords(work)} ${working.isOver() ? 'done already' : 'in the engine'}`);
  await command(tour, 'drain', (pool) => pool.drain.$post({ ...withId(mainPool), json: { deadline_ms: limitMs } }), tell);
  await seePool(tour, ['draining'], tell);
  const inTime = !working.isOver();
  const load = await soon({ what: `the request in ${mainPool} as the API shows it`, withinMs: limitMs, signal }, async () => {
    const pool = await look(tour);
    return (pool.active_leases ?? 0) > 0 || working.isOver() ? pool : null;
  });
  if (inTime) tell(`the API: ${load.state}, ${load.active_leases ?? 'unknown'} in flight`);
  const { tokens, ms } = await working.done;
  if (inTime) tell(`the request${work.requests === 1 ? '' : 's'} got all of ${tokens} tokens after ${Math.round(ms)} ms`);
  await tellHeartbeat(tour, 'not ready', tell);
  return inTime;
};

const inWords = ({ requests, tokens }: Work): string =>
  requests === 1 ? `a request for ${tokens} tokens is` : `${requests} requests for ${tokens} tokens each are`;
