/**
 * The register of nodes as orchestratord keeps it: who registered, what they last said, and who has gone silent.
 *
 * Its peculiarities are kept: a node silent for `offlineAfterMs` is offline, and later heartbeats are accepted without
 * bringing it back; readiness comes from heartbeats only; a pool once heard of is never forgotten. Memory is bounded.
 */
import { EventEmitter } from 'node:events';
import type { HeartbeatRequest, RegisterRequest, ReportedPool } from './orchestrator-rules.ts';

export interface NodeRecord {
  readonly nodeId: string;
  readonly online: boolean;
  readonly registration: RegisterRequest;
  /** Latest word on every pool ever reported, by id. */
  readonly pools: Readonly<Record<string, ReportedPool>>;
  readonly registrations: number;
  readonly heartbeats: number;
  /** The latest heartbeat as it came. */
  readonly lastHeartbeat: HeartbeatRequest | null;
}

export type NodeHappening = 'registered' | 'heartbeat' | 'offline' | 'deregistered';

/** Told the record as it is after the happening. */
export type NodeListener = (node: NodeRecord) => void;

const mostNodes = 1_000;
const mostPools = 1_000;

export const createNodeRegister = (offlineAfterMs: number) => {
  const nodes = new Map<string, NodeRecord>();
  const silence = new Map<string, NodeJS.Timeout>();
  const events = new EventEmitter<Record<NodeHappening, [NodeRecord]>>();

  const goOffline = (nodeId: string): void => {
    const node = nodes.get(nodeId);
    if (!node?.online) return;
    const gone = { ...node, online: false };
    nodes.set(nodeId, gone);
    events.emit('offline', gone);
  };
  const heard = (nodeId: string): void => {
    clearTimeout(silence.get(nodeId));
    silence.set(nodeId, setTimeout(goOffline, offlineAfterMs, nodeId).unref());
  };
  const drop = (nodeId: string): NodeRecord | null => {
    const node = nodes.get(nodeId) ?? null;
    clearTimeout(silence.get(nodeId));
    silence.delete(nodeId);
    nodes.delete(nodeId);
    return node;
  };

  return {
    /** Returns the way to stop listening. */
    on: (happening: NodeHappening, listener: NodeListener) => {
      events.on(happening, listener);
      return () => {
        events.off(happening, listener);
      };
    },
    list: (): readonly NodeRecord[] => [...nodes.values()],
    get: (nodeId: string): NodeRecord | null => nodes.get(nodeId) ?? null,
    /** False: there is no room for another node. */
    register: (registration: RegisterRequest): boolean => {
      const nodeId = registration.node_id;
      const known = nodes.get(nodeId);
      if (known === undefined && nodes.size >= mostNodes) return false;
      const node: NodeRecord = {
        nodeId,
        online: true,
        registration,
        pools: known?.pools ?? {},
        registrations: (known?.registrations ?? 0) + 1,
        heartbeats: known?.heartbeats ?? 0,
        lastHeartbeat: known?.lastHeartbeat ?? null,
      };
      nodes.set(nodeId, node);
      heard(nodeId);
      events.emit('registered', node);
      return true;
    },
    /** False: no such node. */
    heartbeat: (nodeId: string, said: HeartbeatRequest): boolean => {
      const known = nodes.get(nodeId);
      if (known === undefined) return false;
      const pools = { ...known.pools, ...Object.fromEntries(said.pools.map((pool) => [pool.pool_id, pool])) };
      const kept = Object.fromEntries(Object.entries(pools).slice(-mostPools));
      const node: NodeRecord = { ...known, pools: kept, heartbeats: known.heartbeats + 1, lastHeartbeat: said };
      nodes.set(nodeId, node);
      if (node.online) heard(nodeId);
      events.emit('heartbeat', node);
      return true;
    },
    deregister: (nodeId: string): boolean => {
      const node = drop(nodeId);
      if (node !== null) events.emit('deregistered', node);
      return node !== null;
    },
    close: (): void => {
      for (const nodeId of [...nodes.keys()]) drop(nodeId);
      events.removeAllListeners();
    },
    /** As after a restart of the server: nobody is told. */
    forget: (): void => {
      for (const nodeId of [...nodes.keys()]) drop(nodeId);
    },
  };
};
