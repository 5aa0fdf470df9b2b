/** What the tour believes: the daemon's stream of events, and what its control plane heard of it. Asks nothing, changes nothing. */
import type { Transition } from '../../cli/answers.ts';
import { nodeId } from '../daemon-process.ts';
import { followTransitions } from '../history.ts';
import { mainPool } from '../house.ts';
import type { NodeRecord } from '../orchestrator-nodes.ts';
import type { Stage } from '../stage.ts';
import { createTrail, type Trail } from './trail.ts';

export interface Witness {
  /** Public states of the main pool. */
  readonly pool: Trail<Transition>;
  /** `ready` and `not ready`, as heartbeats say of the main pool. */
  readonly controlPlane: Trail<NodeRecord>;
  /** Resolves when the signal ends it; rejects when the daemon could not be followed. */
  readonly following: Promise<void>;
}

export const createWitness = ({ api, standIn }: Stage, signal: AbortSignal): Witness => {
  const pool = createTrail<Transition>(`pool ${mainPool}`, signal);
  const controlPlane = createTrail<NodeRecord>(`orchestratord about ${mainPool}`, signal);
  const hear = (node: NodeRecord): void => {
    const said = node.lastHeartbeat?.pools.find(({ pool_id }) => pool_id === mainPool);
    if (said !== undefined) controlPlane.see(said.ready ? 'ready' : 'not ready', node);
  };
  standIn.on('heartbeat', hear);
  const already = standIn.node(nodeId);
  if (already !== null) hear(already);
  const following = followTransitions(api, signal, (event) => {
    if (event.pool_id === mainPool) pool.see(publicState(event.to), event);
  });
  following.catch(() => undefined);
  return { pool, controlPlane, following };
};

const publicState = (path: string): string => path.split('.')[0] ?? path;
