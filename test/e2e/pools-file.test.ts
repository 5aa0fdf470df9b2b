/** The pools file, saved while its daemon runs: what changed is done, the rest is not touched, mistakes are named. */
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PoolStatus } from '../../src/machines/views.ts';
import { daemonHouse, type House, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { foldJournal } from '../kit/fold-journal.ts';

/** How often the node was told of the file. */
const told = (house: House, event: 'pools.configured' | 'pools.rejected'): number =>
  readFileSync(join(house.stateDir, 'journal', 'events.jsonl'), 'utf8').split(`{"type":"${event}"`).length - 1;

describe.concurrent('the pools file', patient, () => {
  it('saved five times in a row is read once, and only the pool that changed is touched', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('changes'), house.stub('stays'), house.stub('goes')]);
    const daemon = await house.start();
    await daemon.ready('changes', 'stays', 'goes');
    const [changes, stays] = [house.run('changes'), house.run('stays')];

    for (let save = 3; save <= 7; save += 1) await house.declare([house.stub('changes', { slots: save }), house.stub('stays'), house.stub('comes')]);
    const changed = await daemon.sees('changes', 'ready with seven slots', ({ ready, slots_total }) => ready && slots_total === 7);
    expect(changed.incarnation).not.toBe(changes?.incarnation);
    await daemon.ready('comes');
    await asking('the pool that was taken out to be gone', async () => (await daemon.ask('GET', '/v2/pools/goes/status')).status === 404);
    expect(house.run('stays')).toEqual(stays);
    expect(told(house, 'pools.configured')).toBe(1);
    expect((await daemon.events('changes')).filter(({ event }) => event === 'xstate.init')).toHaveLength(2);
    expect(house.run('goes')).toBeNull();
  });

  it('that is not valid changes nothing, is named by the node until it is, and is read again on SIGHUP', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const run = house.run('pool-0');
    const degraded = async () => (await daemon.node()).degraded.join();

    await house.declare([house.stub('pool-0', { slots: 0 }), house.stub('pool-1', { slotz: 1 })]);
    const named = await asking('the node to name it', async () => (await degraded()) || null);
    expect(named).toContain('slots');
    expect(named).toContain(house.poolsFile);
    expect(daemon.log().some(({ level, mistakes }) => level === 'error' && String(mistakes).includes('slotz'))).toBe(true);
    expect(told(house, 'pools.rejected')).toBe(1);
    daemon.signal('SIGHUP');
    await asking('it to be read again', () => told(house, 'pools.rejected') === 2);
    expect((await daemon.pools()).map(({ pool_id }) => pool_id)).toEqual(['pool-0']);
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true });
    expect(house.run('pool-0')).toEqual(run);

    await house.declare([house.stub('pool-0')]);
    await asking('the node to be well', async () => (await degraded()) === '');
    expect(house.run('pool-0')).toEqual(run);
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, restarts: 0 });
  });

  it('that changes while its daemon begins is followed all the same', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    const starting = house.start();
    await asking('the daemon to have begun', () => existsSync(join(house.stateDir, 'journal')));
    await house.declare([house.stub('pool-0')]);
    const daemon = await starting;
    await asking('the pool to be known', async () => (await daemon.ask('GET', '/v2/pools/pool-0/status')).status === 200);
    await daemon.ready('pool-0');
  });

  it('that changes starts nothing that was drained or was not to start, and what is started then goes by it', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('drained'), house.stub('idle', { preload: false })]);
    const daemon = await house.start();
    await daemon.ready('drained');
    expect((await daemon.ask('POST', '/v2/pools/drained/drain')).status).toBe(202);
    await daemon.sees('drained', 'down', ({ substate }) => substate === 'stopped');
    await house.declare([house.stub('drained', { slots: 5 }), house.stub('idle', { preload: false, slots: 5 }), house.stub('comes')]);
    await asking('the file to be followed', async () => (await daemon.ask('GET', '/v2/pools/comes/status')).status === 200);
    await daemon.ready('comes');
    for (const id of ['drained', 'idle']) {
      expect(await daemon.pool(id)).toMatchObject({ wanted: 'down', live: false });
      expect((await daemon.ask('POST', `/v2/pools/${id}/preload`)).status).toBe(202);
    }
    expect((await daemon.ready('drained', 'idle')).map(({ slots_total }) => slots_total)).toEqual([5, 5]);
  });

  it('that says of a pool what it said before leaves alone what was ordered over the API, also under the next daemon', async (t) => {
    const house = await daemonHouse(t);
    const lines = (file: number) => [house.stub('filed', { slots: file }), house.stub('other', { preload: false })];
    await house.declare(lines(1));
    const daemon = await house.start();
    await daemon.ready('filed');
    expect((await daemon.ask('POST', '/v2/pools', house.stub('asked'))).status).toBe(201);
    await daemon.ready('asked');
    const with3 = ({ ready, slots_total }: PoolStatus): boolean => ready && slots_total === 3;
    for (const id of ['filed', 'asked']) expect((await daemon.ask('POST', `/v2/pools/${id}/reload`, { slots: 3 })).status).toBe(202);
    const ordered = await Promise.all(['filed', 'asked'].map((id) => daemon.sees(id, 'ready with three slots', with3)));

    await house.declare([...lines(1), house.stub('comes', { preload: false })]);
    await asking('the file to be followed', async () => (await daemon.ask('GET', '/v2/pools/comes/status')).status === 200);
    await asking('the old engines to have ended', () => house.left().length === 2);
    expect((await daemon.ask('GET', '/v2/pools/filed/spec')).body).toMatchObject({ spec: { slots: 3 }, filed: { slots: 1 } });
    expect((await daemon.ask('GET', '/v2/pools/asked/spec')).body).toMatchObject({ spec: { slots: 3 }, filed: null });
    await daemon.end('SIGKILL');
    const next = await house.start();
    const kept = await next.ready('filed', 'asked');
    expect(kept.map(({ incarnation, slots_total }) => [incarnation, slots_total])).toEqual(ordered.map(({ incarnation }) => [incarnation, 3]));
    const told = (await Promise.all(['filed', 'asked'].map(next.events))).flat();
    expect(told.filter(({ event }) => event === 'pool.reload')).toEqual([]);

    expect(await next.ask('POST', '/v2/pools/asked/reload', { as_filed: true })).toMatchObject({ status: 422 });
    expect((await next.ask('POST', '/v2/pools/filed/reload', { as_filed: true })).body).toMatchObject({ operation_id: expect.any(String) });
    await next.sees('filed', 'ready with one slot', ({ ready, slots_total }) => ready && slots_total === 1);
    await house.declare(lines(2));
    await next.sees('filed', 'ready with two slots', ({ ready, slots_total }) => ready && slots_total === 2);
    expect(await readdir(join(house.stateDir, 'overrides'))).toEqual([]);
    expect(foldJournal(house.stateDir).divergence).toBeNull();
  });

  it('that gives a pool the port of another costs it nothing, says who has it, and that the file is not in force', async (t) => {
    const house = await daemonHouse(t);
    const { first } = house.ports;
    const lines = (port: number) => [house.stub('solo', { ports: [first] }), house.stub('moves', { ports: [port] })];
    await house.declare(lines(first + 1));
    const daemon = await house.start();
    const [, before] = await daemon.ready('solo', 'moves');
    await house.declare(lines(first));
    const told = await daemon.sees('moves', 'not as it is declared', ({ degraded }) => degraded.includes('not_as_declared'));
    expect(told).toMatchObject({ ready: true, incarnation: before?.incarnation, last_error: { code: 'port_conflict' } });
    expect(told.last_error?.message).toContain(`${first}: the engine of pool solo`);
    expect((await daemon.events('moves')).filter(({ outcome }) => outcome !== null)).toMatchObject([{ outcome: 'rolled_back' }]);
    await house.declare(lines(first + 1));
    await daemon.sees('moves', 'as it is declared', ({ degraded }) => degraded.length === 0);
    expect(await daemon.pool('moves')).toMatchObject({ ready: true, incarnation: before?.incarnation, restarts: 0 });
  });

  it('takes over what the API declared, as it is', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    const daemon = await house.start();
    expect((await daemon.ask('POST', '/v2/pools', house.stub('asked'))).status).toBe(201);
    const [asked] = await daemon.ready('asked');
    await house.declare([house.stub('asked')]);
    const filed = await daemon.sees('asked', "the file's", ({ origin }) => origin === 'file');
    expect(filed).toMatchObject({ ready: true, incarnation: asked?.incarnation, restarts: 0 });
    expect(await readdir(join(house.stateDir, 'declared'))).toEqual([]);
    await house.declare([]);
    await asking('it to be gone', async () => (await daemon.pools()).length === 0);
    expect(foldJournal(house.stateDir).divergence).toBeNull();
  });

  it('is what a daemon that was away goes by: what is gone is drained, what changed is adopted and then reloaded', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('changes'), house.stub('stays'), house.stub('goes')]);
    const daemon = await house.start();
    await daemon.ready('changes', 'stays', 'goes');
    const [changes, stays] = [house.run('changes'), house.run('stays')];
    await daemon.end('SIGKILL');

    await house.declare([house.stub('changes', { slots: 5 }), house.stub('stays')]);
    const next = await house.start();
    const changed = await next.sees('changes', 'ready with five slots', ({ ready, slots_total }) => ready && slots_total === 5);
    expect(changed.incarnation).not.toBe(changes?.incarnation);
    expect((await next.events('changes')).map(({ to }) => to)).toContain('draining.emptying.announcing');
    await asking('the pool that was taken out to be gone', async () => (await next.ask('GET', '/v2/pools/goes/status')).status === 404);
    expect(house.run('goes')).toBeNull();
    await next.ready('stays');
    expect(house.run('stays')).toEqual(stays);
  });
});
