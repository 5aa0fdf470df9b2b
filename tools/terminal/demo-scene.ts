/** The view of the demo as it is drawn in the documents: its own lines, of a node whose engine was killed a moment ago. */
import * as v from 'valibot';
import { gpuSchema, nodeSchema, poolSchema } from '../../src/cli/answers.ts';
import { thingsToTry, viewLines } from '../../src/demo/view-lines.ts';
import type { PoolStatus } from '../../src/machines/views.ts';
import { heartbeatBody, registrationBody } from '../../src/orchestrator/wire.ts';
import { nodeView, poolStatus } from '../../test/kit/views.ts';
import { ago, cards, gib } from './node.ts';

export const demoLines = (): readonly string[] => {
  const url = 'http://127.0.0.1:9200';
  const happened = (at: string, text: string): string => `2026-01-01T12:00:${at}Z  ${text}`;
  return viewLines({
    introduction: [
      'simulated GPUs: no GPU is used; their memory is made up of what pools are granted',
      '',
      `dashboard      ${url}/`,
      `description    ${url}/openapi.json`,
      'metrics        http://127.0.0.1:9091/metrics',
    ],
    node: v.parse(nodeSchema, nodeView({ node_id: 'demo', simulated: true, gpu_source: 'simulated' })),
    pools: demoPools().map((pool) => v.parse(poolSchema, pool)),
    gpus: cards().map((card, index) =>
      v.parse(gpuSchema, {
        ...card,
        name: 'Simulated 24 GiB',
        simulated: true,
        source: 'simulated',
        temperature_c: null,
        utilisation_percent: null,
        pools: [demoPools()[index]?.pool_id ?? ''],
      }),
    ),
    controlPlane: heardOf(url),
    hints: thingsToTry(url, null),
    happenings: [
      happened('03.114', 'chat  starting.proving -> ready.healthy  xstate.done.actor.proveReadiness'),
      happened('09.482', 'chat  ready.healthy -> draining.stopping  engine.exited  engine_exited: the engine was ended by SIGKILL'),
      happened('10.871', 'chat  starting.proving -> ready.healthy  xstate.done.actor.proveReadiness'),
    ],
    rows: 60,
  });
};

const heardOf = (url: string) => ({
  nodeId: 'demo',
  online: true,
  registration: registrationBody(nodeView(), cards(), demoPools(), { nodeId: 'demo', machineId: 'demo', address: url, version: '0.1.0' }),
  pools: {},
  registrations: 1,
  heartbeats: 7,
  lastHeartbeat: heartbeatBody(demoPools(), [], 7, Date.now()),
});

const demoPools = (): readonly PoolStatus[] => [
  poolStatus({
    pool_id: 'chat',
    since: ago(2.5),
    model: 'chat-7b-stub',
    slots_free: 4,
    vram_used_bytes: 7.5 * gib,
    residency: 'simulated',
    restarts: 1,
  }),
  poolStatus({
    pool_id: 'code',
    since: ago(3.5),
    model: 'code-13b-stub',
    device_mask: '1',
    slots_total: 2,
    slots_free: 2,
    vram_used_bytes: 13.4 * gib,
    residency: 'simulated',
    endpoint: 'http://127.0.0.1:18081',
  }),
  poolStatus({
    pool_id: 'large',
    state: 'uninitialized',
    substate: 'idle',
    since: ago(3.5),
    live: false,
    ready: false,
    wanted: 'down',
    model: 'large-18b-stub',
    device_mask: '0,1',
    slots_total: 2,
    slots_free: null,
    vram_used_bytes: null,
    endpoint: null,
  }),
];
