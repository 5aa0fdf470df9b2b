/** Tells orchestratord how the pools are, those that are gone included until it has taken note. One call; nothing to undo. */
import { fromPromise } from 'xstate';
import { stamp } from '../clock.ts';
import type { CallOutcome, registrationActors } from '../machines/registration/actors.ts';
import { callOrchestrator } from '../orchestrator/client.ts';
import { heartbeatBody } from '../orchestrator/wire.ts';
import type { RegistrationDeps } from './register-node.ts';

export const sendHeartbeat = ({ orchestrator, identity, views, removedPools }: RegistrationDeps): typeof registrationActors.sendHeartbeat =>
  fromPromise<CallOutcome, { readonly sequence: number }>(async ({ input, signal }) => {
    const pools = views.pools();
    const removed = removedPools.missingFrom(pools);
    removedPools.sent(pools);
    const body = heartbeatBody(pools, removed, input.sequence, stamp().at);
    const draining = pools.filter((pool) => pool.draining).map((pool) => pool.pool_id);
    const outcome = await callOrchestrator(orchestrator, { name: 'heartbeat', nodeId: identity.nodeId, body, draining }, signal);
    if (outcome.result === 'accepted') removedPools.acknowledged(removed);
    return outcome;
  });
