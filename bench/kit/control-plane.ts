/** The orchestratord stand-in of this project in the measuring process, and the heartbeats it gets. */
import { startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { type Heard, makeHeard } from './heard.ts';
import type { House } from './house.ts';

export interface Heartbeat {
  readonly ready: ReadonlyMap<string, boolean>;
}

export const startControlPlane = async (house: House): Promise<{ readonly url: string; readonly heartbeats: Heard<Heartbeat> }> => {
  const standIn = await startOrchestratorStandIn();
  house.atEnd(() => standIn.close());
  const heartbeats = makeHeard<Heartbeat>();
  standIn.on('heartbeat', ({ lastHeartbeat }) => {
    if (lastHeartbeat !== null) heartbeats.tell({ ready: new Map(lastHeartbeat.pools.map(({ pool_id, ready }) => [pool_id, ready])) });
  });
  return { url: standIn.url, heartbeats };
};
