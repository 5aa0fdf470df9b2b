/** The stand-in behaves as orchestratord does, its peculiarities included. */
import { afterEach, describe, expect, it } from 'vitest';
import { heartbeatBody } from '../../src/orchestrator/wire.ts';
import { type OrchestratorStandIn, startOrchestratorStandIn } from '../kit/orchestrator.ts';
import { until } from '../kit/until.ts';
import { poolStatus } from '../kit/views.ts';

const running: OrchestratorStandIn[] = [];
afterEach(async () => {
  for (const standIn of running.splice(0)) await standIn.close();
});
const start = async (options: Parameters<typeof startOrchestratorStandIn>[0] = {}) => {
  const standIn = await startOrchestratorStandIn(options);
  running.push(standIn);
  return standIn;
};

const registration = {
  node_id: 'n1',
  machine_id: 'm1',
  address: 'http://n1:9200',
  pools: ['pool-0'],
  capabilities: { gpus: [{ device_id: 0, name: 'card', vram_total_bytes: 1, compute_capability: '8.6' }] },
};
const post = (url: string, body: unknown) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: typeof body === 'string' ? body : JSON.stringify(body) });
const register = ({ url }: OrchestratorStandIn, body: unknown = registration) => post(`${url}/v2/nodes/register`, body);
const beat = ({ url }: OrchestratorStandIn, body: unknown = heartbeatBody([poolStatus()], [], 1, Date.now())) =>
  post(`${url}/v2/nodes/n1/heartbeat`, body);

describe('the orchestratord stand-in', () => {
  it('keeps a silent node offline although it answers 200, until the node registers again', async () => {
    const standIn = await start({ offlineAfterMs: 60 });
    const seen: string[] = [];
    for (const happening of ['registered', 'heartbeat', 'offline', 'deregistered'] as const) standIn.on(happening, () => seen.push(happening));
    await register(standIn);
    expect(standIn.node('n1')?.online).toBe(true);
    await until('the node to be offline', () => standIn.node('n1')?.online === false);
    const late = await beat(standIn);
    expect(late.status).toBe(200);
    expect(await late.json()).toEqual({ success: true, next_heartbeat_ms: 10_000 });
    expect(standIn.node('n1')?.online).toBe(false);
    await register(standIn);
    expect(standIn.node('n1')?.online).toBe(true);
    await fetch(`${standIn.url}/v2/nodes/n1`, { method: 'DELETE' });
    expect(seen).toEqual(['registered', 'offline', 'heartbeat', 'registered', 'deregistered']);
  });

  it('answers 404 to a heartbeat of a node that it does not know or has forgotten', async () => {
    const standIn = await start();
    expect((await beat(standIn)).status).toBe(404);
    await register(standIn);
    expect((await beat(standIn)).status).toBe(200);
    standIn.forget();
    expect((await beat(standIn)).status).toBe(404);
  });

  it.each(['node_id', 'machine_id', 'address', 'pools', 'capabilities'] as const)(
    'refuses a registration without %s in plain text',
    async (field) => {
      const { [field]: _, ...rest } = registration;
      const answer = await register(await start(), rest);
      expect(answer.status).toBe(422);
      expect(answer.headers.get('content-type')).toContain('text/plain');
      expect(await answer.text()).toContain(`missing field \`${field}\``);
    },
  );

  it.each(['device_id', 'name', 'vram_total_bytes', 'compute_capability'] as const)('refuses a GPU without %s', async (field) => {
    const { [field]: _, ...gpu } = { device_id: 0, name: 'card', vram_total_bytes: 1, compute_capability: '8.6' };
    expect((await register(await start(), { ...registration, capabilities: { gpus: [gpu] } })).status).toBe(422);
  });

  it.each(['ready', 'draining', 'slots_free', 'slots_total', 'vram_free_bytes'] as const)(
    'refuses a heartbeat without %s or with nonsense in it',
    async (field) => {
      const standIn = await start();
      await register(standIn);
      const [pool] = heartbeatBody([poolStatus()], [], 1, Date.now()).pools;
      const timestamp = new Date().toISOString();
      expect((await beat(standIn, { timestamp, pools: [{ ...pool, [field]: undefined }] })).status).toBe(422);
      expect((await beat(standIn, { timestamp, pools: [{ ...pool, [field]: -1 }] })).status).toBe(422);
      expect((await beat(standIn, { timestamp, pools: [{ ...pool, [field]: null }] })).status).toBe(422);
    },
  );

  it('answers 401 with nothing, 400 to what is no JSON, 405 and 404 to what it does not do', async () => {
    const standIn = await start({ token: 'secret' });
    const refused = await register(standIn);
    expect(refused.status).toBe(401);
    expect(await refused.text()).toBe('');
    const open = await start();
    expect((await register(open, '{')).status).toBe(400);
    expect((await fetch(`${open.url}/v2/nodes/n1`)).status).toBe(405);
    expect((await fetch(`${open.url}/elsewhere`)).status).toBe(404);
  });

  it('comes back on the port it had, remembers at most 1000 calls, and fails as often as told', async () => {
    const standIn = await start();
    standIn.fail({ kind: 'status', status: 500 }, 2);
    expect((await register(standIn)).status).toBe(500);
    expect((await register(standIn)).status).toBe(500);
    expect((await register(standIn)).status).toBe(200);
    await standIn.down();
    await expect(register(standIn)).rejects.toThrow('fetch failed');
    await standIn.up();
    expect((await beat(standIn)).status).toBe(200);
    expect(standIn.requests()).toHaveLength(4);
  });
});
