/** An orchestratord (its stand-in) and the nodes that report to it. */
import { Given, Then, When } from 'quickpickle';
import { expect } from 'vitest';
import { type Daemon, daemonHouse, type House } from '../../kit/daemon.ts';
import { type OrchestratorStandIn, startOrchestratorStandIn } from '../../kit/orchestrator.ts';
import { until } from '../../kit/until.ts';
import type { World } from './world.ts';

interface Node {
  readonly house: House;
  daemon: Daemon;
}

interface Cluster {
  readonly plane: OrchestratorStandIn;
  readonly nodes: Map<string, Node>;
}

const clusters = new WeakMap<World, Cluster>();

const clusterOf = (world: World): Cluster => {
  const cluster = clusters.get(world);
  if (cluster === undefined) throw new Error('expected "Given a control plane" first');
  return cluster;
};
const nodeOf = (world: World, id: string): Node => {
  const node = clusterOf(world).nodes.get(id);
  if (node === undefined) throw new Error(`there is no node ${id}`);
  return node;
};

Given('a control plane', (world: World) => raise(world, {}));
Given('a control plane that forgets nodes silent for {int} ms', (world: World, ms: number) => raise(world, { offlineAfterMs: ms }));

Given('the node {string} with a ready pool {string}', async (world: World, id: string, pool: string) => {
  const { plane, nodes } = clusterOf(world);
  const house = await daemonHouse(world.context, { ORCHESTRATORD_URL: plane.url, POOL_MANAGERD_NODE_ID: id, POOL_MANAGERD_SHUTDOWN: 'drain' });
  await house.declare([house.stub(pool)]);
  const daemon = await house.start();
  nodes.set(id, { house, daemon });
  await daemon.ready(pool);
});

When('the node {string} is killed', async (world: World, id: string) => {
  await nodeOf(world, id).daemon.end('SIGKILL');
});
When('the node {string} ends in order', async (world: World, id: string) => {
  expect(await nodeOf(world, id).daemon.end('SIGTERM')).toMatchObject({ code: 0 });
});
When('the node {string} is started again', async (world: World, id: string) => {
  const node = nodeOf(world, id);
  node.daemon = await node.house.start();
});
When('the control plane is cut off', (world: World) => clusterOf(world).plane.down());
When('the control plane is reachable again', (world: World) => clusterOf(world).plane.up());
When('the control plane forgets everything', (world: World) => clusterOf(world).plane.forget());
When('the control plane answers after {int} ms', (world: World, ms: number) => clusterOf(world).plane.fail({ kind: 'slow', ms }));
When('the control plane refuses every token', (world: World) => clusterOf(world).plane.fail({ kind: 'status', status: 401, body: '' }));
When('the engine of pool {string} on node {string} is killed', (world: World, pool: string, id: string) => {
  process.kill(nodeOf(world, id).house.run(pool)?.pid ?? Number.NaN, 'SIGKILL');
});
When('the pool {string} of node {string} is ordered to drain', async (world: World, pool: string, id: string) => {
  expect((await nodeOf(world, id).daemon.ask('POST', `/v2/pools/${pool}/drain`)).status).toBe(202);
});
When('node {string} is asked to send a heartbeat', async (world: World, id: string) => {
  world.answer = await nodeOf(world, id).daemon.ask('POST', `/v2/nodes/${id}/heartbeat`);
});
When('node {string} is asked to send a heartbeat as node {string}', async (world: World, id: string, other: string) => {
  world.answer = await nodeOf(world, id).daemon.ask('POST', `/v2/nodes/${other}/heartbeat`);
});
When('node {string} is asked to register', async (world: World, id: string) => {
  world.answer = await nodeOf(world, id).daemon.ask('POST', '/v2/nodes/register');
});

Then('the control plane comes to know node {string} and pool {string} as ready', async (world: World, id: string, pool: string) => {
  await until(`${id} online with ${pool} ready`, () => seen(world, id)?.online && seen(world, id)?.pools[pool]?.ready, 15_000);
});
Then('the control plane hears that pool {string} of node {string} is not ready', async (world: World, pool: string, id: string) => {
  await until(`${pool} not ready`, () => seen(world, id)?.pools[pool]?.ready === false);
});
Then('the control plane hears that pool {string} of node {string} is draining', async (world: World, pool: string, id: string) => {
  await until(`${pool} draining`, () => seen(world, id)?.pools[pool]?.draining === true);
});
Then('the control plane takes node {string} for lost', async (world: World, id: string) => {
  await until(`${id} to be offline`, () => seen(world, id)?.online === false, 15_000);
});
Then('the control plane knows no node {string}', (world: World, id: string) => expect(seen(world, id)).toBeNull());
Then('the control plane knows of node {string}: its GPUs, its pools, free slots and VRAM', (world: World, id: string) => {
  const record = seen(world, id);
  expect(record?.registration).toMatchObject({ node_id: id, pools: ['chat'] });
  expect(record?.registration.capabilities.gpus[0]).toMatchObject({ device_id: 0, vram_total_bytes: 24 * 1024 ** 3 });
  expect(record?.lastHeartbeat?.pools[0]).toMatchObject({ pool_id: 'chat', ready: true, draining: false, slots_free: 2, slots_total: 2 });
  expect(record?.lastHeartbeat?.pools[0]?.vram_free_bytes).toBeGreaterThan(0);
});
Then('node {string} shows its registration as {word}', async (world: World, id: string, state: string) => {
  await until(`registration ${state}`, async () => (await nodeOf(world, id).daemon.node()).registration.state === state, 15_000);
});
Then('the pool {string} of node {string} still serves', async (world: World, pool: string, id: string) => {
  const [seenNow] = await nodeOf(world, id).daemon.ready(pool);
  expect(seenNow).toMatchObject({ restarts: 0, last_error: null });
});

const seen = (world: World, id: string) => clusterOf(world).plane.node(id);

const raise = async (world: World, options: { readonly offlineAfterMs?: number }): Promise<void> => {
  const plane = await startOrchestratorStandIn({ nextHeartbeatMs: 1_000, ...options });
  world.context.onTestFinished(plane.close);
  clusters.set(world, { plane, nodes: new Map() });
};
