/** The node in one line, for `systemctl status` and the log. Pure over views. */
import type { LiveViews } from './live-views.ts';

export const statusLine = (views: Pick<LiveViews, 'node' | 'pools'>): string => {
  const { lifecycle, gpus_state, registration, degraded, simulated } = views.node();
  const pools = views.pools();
  const ready = pools.filter((pool) => pool.ready).length;
  const waiting = pools.filter((pool) => pool.wanted === 'up' && !pool.ready).map((pool) => `${pool.pool_id} ${pool.reason?.code ?? pool.state}`);
  return [
    lifecycle,
    `${ready} of ${pools.length} pools ready${waiting.length === 0 ? '' : ` (${waiting.slice(0, 4).join(', ')}${waiting.length > 4 ? ', …' : ''})`}`,
    `GPUs ${gpus_state}${simulated ? ' (simulated)' : ''}`,
    ...(registration.state === 'disabled' ? [] : [`orchestratord ${registration.state}`]),
    ...(degraded.length === 0 ? [] : [`degraded: ${degraded[0]}`]),
  ].join('; ');
};
