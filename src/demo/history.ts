/**
 * What happened on the demo's node, in order: transitions from the daemon's stream of events, and what its control plane
 * heard. Keeps the latest; decides nothing.
 */
import { eventSchema, type Transition } from '../cli/answers.ts';
import type { Api } from '../cli/api.ts';
import { dataOf } from '../cli/event-data.ts';
import { eventLine } from '../cli/show.ts';
import { follow } from '../cli/sse.ts';
import { printable } from '../cli/table.ts';
import type { NodeRecord } from './orchestrator-nodes.ts';
import type { OrchestratorStandIn } from './orchestrator-stand-in.ts';

/** From the first event of the daemon on. Resolves when the signal ends it; rejects when the daemon cannot be followed. */
export const followTransitions = (api: Api, signal: AbortSignal, listener: (event: Transition) => void): Promise<void> =>
  follow(api, { question: (client) => client.v2.events.$get(), lastEventId: '0', signal, note: () => undefined }, (received) => {
    const event = dataOf(received, eventSchema);
    if (event !== null) listener(event);
  });

/** Null: not worth a line, as what a registration does between two heartbeats. */
export const transitionText = (event: Transition): string | null =>
  event.actor === 'registration' && event.from.split('.')[0] === event.to.split('.')[0] ? null : eventLine(event);

/** Lines told one by one, to one listener, who hears also those that came before. */
export interface Lines {
  readonly tell: (line: string) => void;
  readonly listen: (listener: (line: string) => void) => void;
}

export const createLines = (): Lines => {
  let past: string[] = [];
  let hear = (line: string): void => void past.push(line);
  return {
    tell: (line) => hear(line),
    listen: (listener) => {
      for (const line of past) listener(line);
      past = [];
      hear = listener;
    },
  };
};

/** One line for each registration and its end, and for each heartbeat that says something else than the one before. */
export const followControlPlane = (standIn: OrchestratorStandIn): Lines => {
  const lines = createLines();
  let last = '';
  const tell = (text: string): void => lines.tell(printable(`${new Date().toISOString()}  orchestratord  ${text}`));
  standIn.on('registered', (node) => {
    const { pools, capabilities } = node.registration;
    tell(`node ${node.nodeId} registered: ${capabilities.gpus.length} GPUs, pools ${pools.join(', ')}`);
  });
  standIn.on('heartbeat', (node) => {
    const said = heartbeatText(node);
    if (said !== last) tell(`heartbeat ${node.heartbeats} of node ${node.nodeId}: ${said}`);
    last = said;
  });
  standIn.on('offline', (node) => tell(`node ${node.nodeId} is offline: no heartbeat came`));
  standIn.on('deregistered', (node) => tell(`node ${node.nodeId} deregistered after ${node.heartbeats} heartbeats`));
  return lines;
};

/** What the latest heartbeat says of each pool. */
export const heartbeatText = ({ lastHeartbeat }: NodeRecord): string =>
  (lastHeartbeat?.pools ?? [])
    .map((pool) => {
      const state = pool.draining ? 'draining' : pool.ready ? 'ready' : 'not ready';
      return pool.ready ? `${pool.pool_id} ${state} ${pool.slots_free}/${pool.slots_total}` : `${pool.pool_id} ${state}`;
    })
    .join(', ') || 'no pools';
