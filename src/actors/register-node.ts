/** Tells orchestratord who this node is and what it has. One call; undone by `deregister-node`. */
import { fromPromise } from 'xstate';
import type { registrationActors } from '../machines/registration/actors.ts';
import type { GpuView, NodeView, PoolStatus } from '../machines/views.ts';
import { callOrchestrator } from '../orchestrator/client.ts';
import type { RemovedPools } from '../orchestrator/removed-pools.ts';
import type { Orchestrator } from '../orchestrator/target.ts';
import { type Identity, registrationBody } from '../orchestrator/wire.ts';

export interface RegistrationDeps {
  readonly orchestrator: Orchestrator;
  readonly identity: Identity;
  /** Read at the moment of sending. */
  readonly views: {
    readonly node: () => NodeView;
    readonly pools: () => readonly PoolStatus[];
    readonly gpus: () => readonly GpuView[];
  };
  readonly removedPools: RemovedPools;
}

export const registerNode = ({ orchestrator, identity, views, removedPools }: RegistrationDeps): typeof registrationActors.registerNode =>
  fromPromise(({ signal }) => {
    const pools = views.pools();
    removedPools.sent(pools);
    const body = registrationBody(views.node(), views.gpus(), pools, identity);
    return callOrchestrator(orchestrator, { name: 'register', nodeId: identity.nodeId, body, draining: [] }, signal);
  });
