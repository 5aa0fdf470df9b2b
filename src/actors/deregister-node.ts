/** Says good-bye to orchestratord. One call; a node it does not know any more counts as gone. Nothing to undo. */
import { fromPromise } from 'xstate';
import type { registrationActors } from '../machines/registration/actors.ts';
import { callOrchestrator } from '../orchestrator/client.ts';
import type { RegistrationDeps } from './register-node.ts';

export const deregisterNode = ({ orchestrator, identity }: RegistrationDeps): typeof registrationActors.deregisterNode =>
  fromPromise(({ signal }) => callOrchestrator(orchestrator, { name: 'deregister', nodeId: identity.nodeId, body: null, draining: [] }, signal));
