/** Has the registration speak to orchestratord now and waits for what comes of it, with a deadline of its own. */

import { stamp } from '../clock.ts';
import type { OrchestratorAnswer } from '../http/ports.ts';
import type { LiveViews, NodeRef } from './live-views.ts';

/** Longer than any call and the quiet time after it. */
const answerWithinMs = 12_000;

export const askControlPlane = (node: NodeRef, views: LiveViews, kind: 'register' | 'heartbeat'): Promise<OrchestratorAnswer> => {
  const registration = views.registrationRef();
  if (registration === null) return Promise.resolve(refused('the node does not serve yet; ask again in a moment'));
  const { context } = registration.getSnapshot();
  if (!context.enabled) return Promise.resolve(refused('no orchestratord is configured: this node stands alone; set ORCHESTRATORD_URL'));
  return new Promise((resolve) => {
    const asked = context.lastCall?.number ?? 0;
    const settle = (answer: OrchestratorAnswer): void => {
      clearTimeout(timer);
      watching.unsubscribe();
      resolve(answer);
    };
    const timer = setTimeout(() => settle(refused(`orchestratord gave no answer within ${answerWithinMs} ms`)), answerWithinMs);
    const watching = registration.subscribe((snapshot) => {
      const { lastCall } = snapshot.context;
      // A heartbeat may have to become a registration first: its answer is then what there is to tell.
      if (lastCall === null || lastCall.number <= asked || (lastCall.kind !== kind && kind === 'register')) return;
      settle(lastCall.outcome.result === 'accepted' ? { ok: true, body: lastCall.outcome.body } : refused(lastCall.outcome.message));
    });
    node.send({ type: `node.${kind}`, ...stamp() });
  });
};

const refused = (message: string): OrchestratorAnswer => ({ ok: false, message });
