/** A node as the HTTP rim sees it: answers what a test sets, and keeps what it was asked. */
import type { CommandResult, NodePort, OrchestratorAnswer } from '../../src/http/ports.ts';
import type { PoolStatus } from '../../src/machines/views.ts';
import type { PoolSpec } from '../../src/machines/vocabulary.ts';
import { gpuView, nodeView, poolStatus } from './views.ts';

export interface FakeNode extends NodePort {
  statuses: PoolStatus[];
  reasons: string[];
  /** The answer to the next commands; null: they are taken. */
  refusal: Extract<CommandResult, { readonly ok: false }> | null;
  orchestrator: OrchestratorAnswer;
  /** Thrown by `node()`, to see what an answer shows of a failure. */
  failure: Error | null;
  readonly asked: [name: string, ...args: unknown[]][];
}

export const createFakeNode = (own: Partial<Pick<NodePort, 'version'>> = {}): FakeNode => {
  const take = (id: string, operationId: string | null = null): CommandResult => {
    const status = fake.pool(id);
    if (fake.refusal !== null) return fake.refusal;
    return status === null ? { ok: false, problem: 'unknown_pool' } : { ok: true, status, operationId };
  };
  const fake: FakeNode = {
    version: own.version ?? '0.1.0',
    statuses: [poolStatus()],
    reasons: [],
    refusal: null,
    orchestrator: { ok: true, body: { success: true, message: 'registered', node_id: 'gpu-node-1' } },
    failure: null,
    asked: [],
    uptimeMs: () => 1234.5,
    node: () => {
      if (fake.failure !== null) throw fake.failure;
      return nodeView();
    },
    pools: () => fake.statuses,
    pool: (id) => fake.statuses.find((status) => status.pool_id === id) ?? null,
    gpus: () => [gpuView(), gpuView({ index: 1, uuid: 'GPU-2', memory_used_bytes: null, processes: [{ pid: 7, usedBytes: null }] })],
    accepts: (id) => (fake.pool(id) === null ? [] : ['preload', 'drain', 'reload']),
    spec: (id) => (fake.pool(id) === null ? null : { spec: { id, engine: 'llamacpp' }, spec_hash: 'abc', filed: null, reserved_bytes: null }),
    notReady: () => fake.reasons,
    preload: async (id) => {
      fake.asked.push(['preload', id]);
      return take(id);
    },
    drain: async (id, deadlineMs) => {
      fake.asked.push(['drain', id, deadlineMs]);
      return take(id);
    },
    resume: async (id) => {
      fake.asked.push(['resume', id]);
      return take(id);
    },
    reload: async (id, changes) => {
      fake.asked.push(['reload', id, changes]);
      return take(id, 'operation-1');
    },
    declare: async (spec: PoolSpec) => {
      fake.asked.push(['declare', spec]);
      if (fake.refusal === null) fake.statuses = [...fake.statuses, poolStatus({ pool_id: spec.id, origin: 'api' })];
      return take(spec.id);
    },
    remove: async (id) => {
      fake.asked.push(['remove', id]);
      return take(id);
    },
    registerNow: async () => {
      fake.asked.push(['registerNow']);
      return fake.orchestrator;
    },
    heartbeatNow: async () => {
      fake.asked.push(['heartbeatNow']);
      return fake.orchestrator;
    },
  };
  return fake;
};
