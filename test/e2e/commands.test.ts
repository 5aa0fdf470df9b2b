/** Orders over the API, given to a daemon whose engines run: what they do, when they do nothing, and what is refused. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stream } from '../kit/completions.ts';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking, type DaemonApi } from '../kit/daemon-api.ts';
import { foldJournal } from '../kit/fold-journal.ts';

const outcomes = async (daemon: DaemonApi, id: string) => (await daemon.events(id)).flatMap(({ outcome }) => outcome ?? []);

describe.concurrent('orders', patient, () => {
  it('say what is wanted: given twice they change nothing, and a drain is taken back while there is work', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0', { env: { STUB_TOKENS_PER_SECOND: '50' } })]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const order = (command: string, body: object = {}) => daemon.ask('POST', `/v2/pools/pool-0/${command}`, body);
    const run = house.run('pool-0');

    expect(await order('preload')).toMatchObject({ status: 202, body: { state: 'ready', wanted: 'up' } });
    expect(await order('resume')).toMatchObject({
      status: 409,
      body: { code: 'ILLEGAL_TRANSITION', details: { state: 'ready.healthy', accepts: ['preload', 'drain', 'reload'] } },
    });
    const request = stream(run?.endpoint ?? '', 150);
    await request.begun;
    expect(await order('drain')).toMatchObject({ status: 202, body: { state: 'draining', wanted: 'down', ready: false, draining: true } });
    expect(await order('drain')).toMatchObject({ status: 202, body: { state: 'draining' } });
    expect(await order('resume')).toMatchObject({ status: 202, body: { state: 'ready', wanted: 'up' } });
    expect(await request.done).toMatchObject({ whole: true, tokens: 150 });
    expect(house.run('pool-0')).toEqual(run);

    await order('drain');
    const stopped = await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    expect(stopped).toMatchObject({ state: 'offline', live: false, endpoint: null, reason: { code: 'operator', retryable: false } });
    expect(house.left()).toEqual([]);
    expect(await order('drain')).toMatchObject({ status: 202, body: { state: 'offline', substate: 'stopped' } });
    expect(await order('resume')).toMatchObject({ status: 409, body: { details: { state: 'offline.stopped' } } });
    expect((await order('preload')).status).toBe(202);
    const [again] = await daemon.ready('pool-0');
    expect(again).toMatchObject({ restarts: 0, wanted: 'up' });
    expect(again?.incarnation).not.toBe(run?.incarnation);
  });

  it('cut requests only at the deadline, and count it', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0', { env: { STUB_TOKENS_PER_SECOND: '20' } })]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const request = stream(house.run('pool-0')?.endpoint ?? '', 10_000);
    await request.begun;
    const begun = performance.now();
    await daemon.ask('POST', '/v2/pools/pool-0/drain', { deadline_ms: 1_000 });
    expect(await request.done).toMatchObject({ whole: false });
    expect(performance.now() - begun).toBeGreaterThan(950);
    await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    expect(await daemon.metric(/^pool_drain_forced_total\{/)).toBe(1);
  });

  it('for pools that are not there, or in shapes that are not known, are refused and change nothing', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    const [before] = await daemon.ready('pool-0');
    const unknown = [
      ['GET', 'status'],
      ['POST', 'preload'],
      ['POST', 'drain'],
      ['POST', 'resume'],
      ['POST', 'reload'],
      ['GET', 'events'],
      ['GET', 'logs'],
    ] as const;
    for (const [method, path] of unknown)
      expect(await daemon.ask(method, `/v2/pools/nobody/${path}`), path).toMatchObject({
        status: 404,
        body: { code: 'POOL_NOT_FOUND', retryable: false },
      });
    expect(await daemon.ask('DELETE', '/v2/pools/nobody')).toMatchObject({ status: 404, body: { code: 'POOL_NOT_FOUND' } });
    const drain = (body: unknown) => daemon.ask('POST', '/v2/pools/pool-0/drain', body);
    for (const body of [{ deadline_ms: -1 }, { deadline_ms: 'soon' }, { deadline: 5 }])
      expect(await drain(body), JSON.stringify(body)).toMatchObject({ status: 400, body: { code: 'INVALID_PARAMS' } });
    expect(await drain({ padding: 'x'.repeat(2_000_000) })).toMatchObject({ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } });
    const reload = await daemon.ask('POST', '/v2/pools/pool-0/reload', { slots: 0, colour: 'red' });
    expect(reload).toMatchObject({ status: 422, body: { code: 'INVALID_PARAMS' } });
    expect(JSON.stringify(reload.body)).toMatch(/slots.*colour|colour.*slots/);
    expect(await daemon.ask('DELETE', '/v2/pools/pool-0')).toMatchObject({
      status: 409,
      body: { message: expect.stringContaining(house.poolsFile) },
    });
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, incarnation: before?.incarnation, since: before?.since });
  });
});

describe.concurrent('a reload', patient, () => {
  it('puts a new engine in place of the old one, and the old one back when the new one does not get ready', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    const [first] = await daemon.ready('pool-0');
    const reload = (changes: object) => daemon.ask('POST', '/v2/pools/pool-0/reload', changes);
    const other = join(house.dir, 'other.gguf');
    await copyFile(house.model, other);

    expect(await reload({ slots: 2 })).toMatchObject({ status: 202, body: { state: 'ready', incarnation: first?.incarnation, operation_id: null } });
    expect(await reload({ health: { failures: 7 } })).toMatchObject({ status: 202, body: { operation_id: null } });
    expect((await daemon.ask('GET', '/v2/pools/pool-0/spec')).body).toMatchObject({ spec: { health: { failures: 7 } } });
    expect(await outcomes(daemon, 'pool-0')).toEqual([]);
    expect((await reload({ new_model_ref: other, slots: 3 })).body['operation_id']).toEqual(expect.any(String));
    expect(await reload({ slots: 4 })).toMatchObject({
      status: 409,
      body: { code: 'ILLEGAL_TRANSITION', details: { accepts: expect.not.arrayContaining(['reload']) } },
    });
    const second = await daemon.sees('pool-0', 'ready with three slots', ({ ready, slots_total }) => ready && slots_total === 3);
    expect(second).toMatchObject({ model: 'other', restarts: 0, models_available: [expect.stringContaining('other')] });
    await asking('the outcome', async () => (await outcomes(daemon, 'pool-0')).includes('reloaded'));

    for (const failing of [{ new_model_ref: join(house.dir, 'nothing.gguf') }, { env: { STUB_FAIL_LOAD: 'error loading model: bad magic' } }]) {
      const before = await outcomes(daemon, 'pool-0');
      expect((await reload(failing)).status).toBe(202);
      await asking('the outcome', async () => (await outcomes(daemon, 'pool-0')).length > before.length);
      const [back] = await daemon.ready('pool-0');
      expect((await outcomes(daemon, 'pool-0'))[0]).toBe('rolled_back');
      expect(back).toMatchObject({ model: 'other', slots_total: 3, wanted: 'up' });
    }
    expect((await daemon.pool('pool-0')).last_error?.code).toBe('model_incompatible');
    expect(house.left()).toContain(house.run('pool-0')?.pid);
    await daemon.end();
    expect(foldJournal(house.stateDir)).toMatchObject({ divergence: null, passedOver: 0 });
  });
});

describe.concurrent('a pool declared over the API', patient, () => {
  it('survives restarts, with what was ordered of it, and once removed stays away', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('from-file')]);
    const daemon = await house.start();
    const declared = await daemon.ask('POST', '/v2/pools', house.stub('from-api'));
    expect(declared).toMatchObject({ status: 201, body: { pool_id: 'from-api', origin: 'api' } });
    expect(declared.headers.get('location')).toBe('/v2/pools/from-api/status');
    expect(await daemon.ask('POST', '/v2/pools', house.stub('from-api'))).toMatchObject({ status: 409, body: { code: 'POOL_EXISTS' } });
    expect(await daemon.ask('POST', '/v2/pools', house.stub('from-file'))).toMatchObject({ status: 409, body: { code: 'POOL_EXISTS' } });
    expect(await daemon.ask('POST', '/v2/pools', { ...house.stub('from-api-2'), slotz: 1 })).toMatchObject({
      status: 422,
      body: { code: 'INVALID_PARAMS' },
    });
    await daemon.ready('from-api', 'from-file');
    await daemon.ask('POST', '/v2/pools', house.stub('down', { preload: false }));
    const run = house.run('from-api');
    await daemon.end('SIGKILL');

    const second = await house.start();
    await second.ready('from-api');
    expect(house.run('from-api')).toEqual(run);
    expect(await second.pool('down')).toMatchObject({ origin: 'api', wanted: 'down', live: false });
    await second.ask('POST', '/v2/pools/from-api/drain');
    await second.sees('from-api', 'stopped', ({ substate }) => substate === 'stopped');
    await second.end();

    const third = await house.start();
    expect(await third.pool('from-api')).toMatchObject({ wanted: 'down', live: false, origin: 'api' });
    expect((await third.ask('DELETE', '/v2/pools/from-api')).status).toBe(202);
    expect((await third.ask('DELETE', '/v2/pools/down')).status).toBe(202);
    await asking('both to be gone', async () => (await third.pools()).map(({ pool_id }) => pool_id).join() === 'from-file');
    await third.end('SIGKILL');
    const fourth = await house.start();
    expect((await fourth.pools()).map(({ pool_id }) => pool_id)).toEqual(['from-file']);
    await fourth.end();
    expect(foldJournal(house.stateDir)).toMatchObject({ divergence: null, passedOver: 0 });
  });

  it('is drained before it is removed: its requests end', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    const daemon = await house.start();
    await daemon.ask('POST', '/v2/pools', house.stub('pool-0', { env: { STUB_TOKENS_PER_SECOND: '50' } }));
    await daemon.ready('pool-0');
    const request = stream(house.run('pool-0')?.endpoint ?? '', 50);
    await request.begun;
    expect(await daemon.ask('DELETE', '/v2/pools/pool-0')).toMatchObject({ status: 202, body: { state: 'draining' } });
    expect(await request.done).toMatchObject({ whole: true });
    await asking('it to be gone', async () => (await daemon.ask('GET', '/v2/pools/pool-0/status')).status === 404);
    expect(house.left()).toEqual([]);
    expect(house.run('pool-0')).toBeNull();
    expect((await daemon.gpus()).map(({ memory_reserved_bytes }) => memory_reserved_bytes)).toEqual([0, 0]);
  });
});
