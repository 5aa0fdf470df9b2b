/**
 * The node as the HTTP rim sees it: views to read, commands to give. Commands become events; what a pool makes of them is its
 * chart's. Waits for nothing but an order or a declaration to be on disk and an answer of orchestratord.
 */
import type { NodePort } from '../http/ports.ts';
import { servingOf } from '../machines/policies/roster.ts';
import type { PoolSpec } from '../machines/vocabulary.ts';
import { askControlPlane } from './ask-control-plane.ts';
import { type CommandOptions, createCommands } from './commands.ts';
import type { LiveViews } from './live-views.ts';

export interface NodePortOptions extends CommandOptions {
  readonly version: string;
  /** A copy that may be shown. */
  readonly withoutSecrets: (spec: PoolSpec) => Readonly<Record<string, unknown>>;
  /** Milliseconds that the event loop stood still at a time of late; null: not long enough to be told. */
  readonly stoodStillMs: () => number | null;
}

export const createNodePort = (options: NodePortOptions): NodePort => {
  const { node, views, version, withoutSecrets, stoodStillMs } = options;
  const commands = createCommands(options);
  return {
    version,
    uptimeMs: () => process.uptime() * 1000,
    node: () => views.node(),
    pools: () => views.pools(),
    pool: (id) => views.pool(id),
    gpus: () => views.gpus(),
    spec: (id) => {
      const context = views.poolRef(id)?.getSnapshot().context;
      if (context === undefined) return null;
      const overrides = servingOf(node.getSnapshot().context.roster, id)?.overrides ?? null;
      return {
        spec: withoutSecrets(context.spec),
        spec_hash: context.specHash,
        filed: overrides && withoutSecrets(overrides),
        reserved_bytes: context.run?.reservedBytes ?? null,
      };
    },
    notReady: () => notReady(views, stoodStillMs()),
    ...commands,
    registerNow: () => askControlPlane(node, views, 'register'),
    heartbeatNow: () => askControlPlane(node, views, 'heartbeat'),
  };
};

const notReady = (views: LiveViews, stoodStillMs: number | null): readonly string[] => {
  const { lifecycle, gpus_state, gpu_error, degraded } = views.node();
  const pools = views.pools();
  return [
    ...(lifecycle === 'serving' ? [] : [`the node is ${lifecycle}`]),
    ...(gpus_state === 'known' ? [] : [`its GPUs are not known (${gpus_state})${gpu_error === null ? '' : `: ${gpu_error}`}`]),
    ...(pools.length === 0 || pools.some((pool) => pool.ready) ? [] : ['no pool is ready']),
    ...degraded.filter((one) => one.startsWith('state_store_failed')),
    ...(stoodStillMs === null ? [] : [`its event loop stood still for ${stoodStillMs} ms a moment ago`]),
  ];
};
