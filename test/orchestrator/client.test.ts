/** Calls over real sockets: every answer, also none, is one row of the table, and the token goes nowhere else. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { OrchestratorCall } from '../../src/orchestrator/call.ts';
import { callOrchestrator } from '../../src/orchestrator/client.ts';
import { addressProblem } from '../../src/orchestrator/target.ts';
import { heartbeatBody, type Identity, registrationBody } from '../../src/orchestrator/wire.ts';
import { multiNodeOff, type OrchestratorStandIn, startOrchestratorStandIn } from '../kit/orchestrator.ts';
import { gpuView, nodeView, poolStatus } from '../kit/views.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const token = 'a-token-of-some-length';
const identity: Identity = { nodeId: 'gpu-node-1', machineId: 'machine-1', address: 'http://gpu-node-1:9200', version: '0.1.0' };
const register: OrchestratorCall = {
  name: 'register',
  nodeId: 'gpu-node-1',
  body: registrationBody(nodeView(), [gpuView(), gpuView({ index: 1, memory_total_bytes: null })], [poolStatus()], identity),
  draining: [],
};
const heartbeat: OrchestratorCall = {
  name: 'heartbeat',
  nodeId: 'gpu-node-1',
  body: heartbeatBody([poolStatus()], [{ poolId: 'gone', engine: 'vllm' }], 1, Date.now()),
  draining: ['pool-0'],
};
const deregister: OrchestratorCall = { name: 'deregister', nodeId: 'gpu-node-1', body: null, draining: [] };

const standIn = async (options: Parameters<typeof startOrchestratorStandIn>[0] = {}): Promise<OrchestratorStandIn> => {
  const started = await startOrchestratorStandIn({ token, ...options });
  closers.push(started.close);
  return started;
};
const call = (url: string, what: OrchestratorCall, bearer: string | null = token) =>
  callOrchestrator({ url, token: () => bearer, allowInsecure: false }, what, new AbortController().signal);

describe('a call to orchestratord', () => {
  it('registers, beats and leaves', async () => {
    const { url, node } = await standIn();
    expect(await call(url, register)).toMatchObject({ result: 'accepted', body: { success: true, node_id: 'gpu-node-1' }, nextHeartbeatMs: null });
    expect(await call(url, heartbeat)).toMatchObject({ result: 'accepted', nextHeartbeatMs: 10_000, draining: ['pool-0'] });
    expect(node('gpu-node-1')).toMatchObject({ online: true, heartbeats: 1, pools: { 'pool-0': { ready: true }, gone: { ready: false } } });
    expect(await call(url, deregister)).toMatchObject({ result: 'accepted' });
    expect(node('gpu-node-1')).toBeNull();
    expect(await call(url, deregister), 'gone is gone').toMatchObject({ result: 'accepted' });
  });

  it('keeps the path of the base URL', async () => {
    const { url, requests } = await standIn();
    await call(`${url}/control/plane`, register);
    expect(requests().at(-1)?.path).toBe('/control/plane/v2/nodes/register');
  });

  it('tells an unknown node from a wrong address', async () => {
    const { url } = await standIn();
    expect(await call(url, heartbeat)).toMatchObject({ result: 'unknown_node' });
    expect(await call(`${url}/elsewhere`, register)).toMatchObject({ result: 'rejected', message: expect.stringContaining('ORCHESTRATORD_URL') });
  });

  it('understands a 401 without a body, and never quotes the token', async () => {
    const { url } = await standIn();
    const outcome = await call(url, register, 'another-token-entirely');
    expect(outcome).toMatchObject({ result: 'rejected', message: expect.stringContaining('LLORCH_API_TOKEN') });
    expect(JSON.stringify(outcome)).not.toContain('another-token');
    expect(await call(url, register, null)).toMatchObject({ result: 'rejected' });
  });

  it('quotes a 422 in plain text', async () => {
    const { url } = await standIn();
    expect(await call(url, { ...register, body: { node_id: 'x' } })).toMatchObject({
      result: 'rejected',
      message: expect.stringContaining('missing field `machine_id`'),
    });
  });

  it('tells a control plane that takes no nodes from one that is down for a moment', async () => {
    const { url, fail } = await standIn();
    fail(multiNodeOff);
    expect(await call(url, register)).toMatchObject({ result: 'rejected', message: expect.stringContaining('multi-node') });
    for (const status of [500, 502, 503, 429]) {
      fail({ kind: 'status', status });
      expect(await call(url, register)).toMatchObject({ result: 'unreachable', message: expect.stringContaining(String(status)) });
    }
  });

  it('takes a body that is no answer for no answer, and an interval that is no number for none', async () => {
    const { url, fail } = await standIn();
    for (const body of ['', 'ok', '[]', '{}', '{"success":"yes"}']) {
      fail({ kind: 'lie', body });
      expect(await call(url, register)).toMatchObject({ result: 'unreachable', message: expect.stringContaining('"success": true') });
    }
    fail({ kind: 'lie', body: '{"success":false,"message":"not you"}' });
    expect(await call(url, register)).toMatchObject({ result: 'rejected', message: expect.stringContaining('not you') });
    fail({ kind: 'lie', body: '{"success":true,"next_heartbeat_ms":"soon"}' });
    expect(await call(url, heartbeat)).toMatchObject({ result: 'accepted', nextHeartbeatMs: null });
  });

  it('gives up a heartbeat after a second', async () => {
    const { url, fail } = await standIn();
    fail({ kind: 'hang' });
    const started = performance.now();
    expect(await call(url, heartbeat)).toMatchObject({ result: 'unreachable', message: expect.stringContaining('no answer within 1000 ms') });
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('ends at once when it is no longer needed', async () => {
    const { url, fail } = await standIn();
    fail({ kind: 'hang' });
    const controller = new AbortController();
    const open = callOrchestrator({ url, token: () => token, allowInsecure: false }, register, controller.signal);
    controller.abort();
    expect(await open).toMatchObject({ result: 'unreachable' });
  });

  it('reads 256 KiB of an answer and no more', async () => {
    const { url, fail } = await standIn();
    fail({ kind: 'lie', body: JSON.stringify({ success: true, message: 'x'.repeat(300 * 1024) }) });
    expect(await call(url, register)).toMatchObject({ result: 'unreachable', message: expect.stringContaining('262144 bytes') });
  });

  it('names a refused and a cut connection', async () => {
    const { url, fail, down } = await standIn();
    fail({ kind: 'cut' });
    expect(await call(url, register)).toMatchObject({ result: 'unreachable' });
    await down();
    expect(await call(url, register)).toMatchObject({ result: 'unreachable', message: expect.stringContaining('connection refused') });
  });

  it('follows no redirect, so that the token stays where it belongs', async () => {
    const reached: string[] = [];
    const elsewhere = createServer((request, response) => {
      reached.push(request.url ?? '');
      response.end('{"success":true}');
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => elsewhere.close(() => resolve())));
    const { port } = elsewhere.address() as AddressInfo;
    const { url, fail } = await standIn();
    fail({ kind: 'status', status: 307, headers: { location: `http://127.0.0.1:${port}/` } });
    expect(await call(url, register)).toMatchObject({ result: 'rejected', message: expect.stringContaining(`127.0.0.1:${port}`) });
    expect(reached).toEqual([]);
  });

  it('becomes a row of the table also when the token cannot be read', async () => {
    const { url } = await standIn();
    const broken = () => {
      throw new Error('token file is gone');
    };
    const outcome = await callOrchestrator({ url, token: broken, allowInsecure: false }, register, new AbortController().signal);
    expect(outcome).toMatchObject({ result: 'unreachable', message: expect.stringContaining('token file is gone') });
  });
});

describe('the address', () => {
  it.each([
    ['http://127.0.0.1:8080', null],
    ['http://127.9.9.9:8080', null],
    ['http://[::1]:8080', null],
    ['http://localhost:8080/prefix', null],
    ['https://orchestrator.example', null],
    ['http://orchestrator.example', 'expected https for orchestrator.example'],
    ['http://127.0.0.1.example', 'expected https'],
    ['http://10.0.0.1:8080', 'expected https'],
    ['ftp://127.0.0.1', 'expected https: or http:'],
    ['not an address', 'expected a URL'],
    ['http://user:secret@[', 'expected a URL'],
    ['http://user:secret@127.0.0.1', 'no user name or password'],
  ])('%s', (url, problem) => {
    const found = addressProblem({ url, allowInsecure: false });
    if (problem === null) expect(found).toBeNull();
    else expect(found).toContain(problem);
    expect(found ?? '').not.toContain('secret');
  });

  it('may be plain http where that was asked for', () => {
    expect(addressProblem({ url: 'http://10.0.0.1:8080', allowInsecure: true })).toBeNull();
  });

  it('is refused before anything is sent', async () => {
    expect(await call('http://10.255.255.1:1', register)).toMatchObject({ result: 'rejected', message: expect.stringContaining('expected https') });
  });
});
