/** A reload beside the engine that serves: nobody is refused, and a daemon that dies in the middle of it loses neither engine. */
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { complete, stream } from '../kit/completions.ts';
import { type Daemon, daemonHouse, type House, patient } from '../kit/daemon.ts';
import { asking, type DaemonApi } from '../kit/daemon-api.ts';
import { foldJournal } from '../kit/fold-journal.ts';
import { until } from '../kit/until.ts';

const outcomes = async (daemon: DaemonApi) => (await daemon.events('pool-0')).flatMap(({ outcome }) => outcome ?? []);
const reload = (daemon: DaemonApi, changes: object) => daemon.ask('POST', '/v2/pools/pool-0/reload', changes);
const slow = { STUB_LOAD_MS: '3600000' };

const serving = async (t: Parameters<typeof daemonHouse>[0], changes: Parameters<House['stub']>[1] = {}) => {
  const house = await daemonHouse(t);
  await house.declare([house.stub('pool-0', changes)]);
  const daemon = await house.start();
  await daemon.ready('pool-0');
  return { house, daemon };
};

/** Clients that ask where the pool is and send their request there, one after the other, until told to stop. */
const clients = (daemon: DaemonApi, count: number) => {
  let stopped = false;
  const served: string[] = [];
  const refused: string[] = [];
  const client = async (): Promise<void> => {
    while (!stopped) {
      const { endpoint } = await daemon.pool('pool-0');
      if (endpoint === null) {
        refused.push('the pool has no endpoint');
        continue;
      }
      const answer = await complete(endpoint, 2).catch((thrown: unknown) => ({ status: 0, content: String(thrown) }));
      if (answer.status === 200) served.push(endpoint);
      else refused.push(`${answer.status} ${answer.content}`);
    }
  };
  const all = Array.from({ length: count }, client);
  return {
    served,
    refused,
    stop: async () => {
      stopped = true;
      await Promise.all(all);
    },
  };
};

const gone = (house: House) => until('one engine to be left', () => house.runs('pool-0').length === 1 && house.left().length === 1);

describe.concurrent('a reload with room for both engines', patient, () => {
  it('refuses no request, forth and back, and leaves one engine', async (t) => {
    const { house, daemon } = await serving(t, { slots: 4, env: { STUB_TOKENS_PER_SECOND: '200' } });
    const [first] = house.runs('pool-0');
    const load = clients(daemon, 3);
    const seen: boolean[] = [];
    const watch = setInterval(() => void daemon.pool('pool-0').then(({ ready }) => seen.push(ready)), 50);
    for (const slots of [5, 6]) {
      const before = house.run('pool-0')?.endpoint ?? '';
      expect((await reload(daemon, { slots })).status).toBe(202);
      await daemon.sees('pool-0', `ready with ${slots} slots`, ({ ready, slots_total }) => ready && slots_total === slots);
      expect(house.run('pool-0')?.endpoint).not.toBe(before);
      await gone(house);
    }
    const after = load.served.length;
    await until('requests to go on', () => load.served.length > after + 5);
    clearInterval(watch);
    await load.stop();
    expect(load.refused).toEqual([]);
    expect(seen).not.toContain(false);
    // The third engine has the port of the first again.
    expect(new Set(load.served).size).toBe(2);
    expect(house.run('pool-0')?.pid).not.toBe(first?.pid);
    expect((await outcomes(daemon)).slice(0, 2)).toEqual(['reloaded', 'reloaded']);
    expect((await daemon.pools()).map(({ pool_id }) => pool_id)).toEqual(['pool-0']);
    expect((await daemon.ask('GET', '/v2/pools/pool-0--b/status')).status).toBe(404);
    expect((await daemon.events('pool-0')).map(({ actor }) => actor)).toContain('pool-0--b#2');
    await daemon.end();
    expect(foldJournal(house.stateDir)).toMatchObject({ divergence: null, passedOver: 0 });
  });

  it('whose new engine does not come up never touches the old one, and says why', async (t) => {
    const { house, daemon } = await serving(t, { env: { STUB_TOKENS_PER_SECOND: '200' } });
    const before = house.runs('pool-0');
    const load = clients(daemon, 2);
    expect((await reload(daemon, { env: { STUB_FAIL_LOAD: 'error loading model: bad magic' } })).status).toBe(202);
    await asking('the outcome', async () => (await outcomes(daemon))[0] === 'rolled_back');
    await load.stop();
    expect(load.refused).toEqual([]);
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, last_error: { code: 'model_incompatible' }, restarts: 0 });
    await gone(house);
    expect(house.runs('pool-0')).toEqual(before);
    const old = [...(await daemon.events('pool-0'))].reverse().filter(({ actor }) => actor === 'pool-0#1');
    expect(old.slice(old.findIndex(({ to }) => to.startsWith('ready'))).filter(({ to }) => !to.startsWith('ready'))).toEqual([]);
  });

  it('goes on counting restarts where the old engine left off', async (t) => {
    const { house, daemon } = await serving(t);
    process.kill(house.run('pool-0')?.pid ?? Number.NaN, 'SIGKILL');
    await daemon.sees('pool-0', 'ready again', ({ ready, restarts }) => ready && restarts === 1);
    const counted: number[] = [];
    await reload(daemon, { slots: 3 });
    await daemon.sees('pool-0', 'ready with three slots', ({ restarts, slots_total }) => counted.push(restarts) > 0 && slots_total === 3);
    await gone(house);
    counted.push((await daemon.pool('pool-0')).restarts);
    expect(new Set(counted)).toEqual(new Set([1]));
    await daemon.end('SIGKILL');
    expect(await (await house.start()).sees('pool-0', 'ready', ({ ready }) => ready)).toMatchObject({ restarts: 1 });
  });

  it('is taken back by a drain, which ends both engines', async (t) => {
    const { house, daemon } = await serving(t);
    await reload(daemon, { slots: 3, env: slow });
    await until('the second engine', () => house.runs('pool-0').length === 2);
    expect(await reload(daemon, { slots: 4 })).toMatchObject({ status: 409, body: { code: 'ILLEGAL_TRANSITION' } });
    expect((await daemon.ask('POST', '/v2/pools/pool-0/drain')).status).toBe(202);
    await until('no engine to be left', () => house.left().length === 0);
    expect((await outcomes(daemon))[0]).toBe('given_up');
    expect(await daemon.pool('pool-0')).toMatchObject({ wanted: 'down', last_error: null });
  });
});

describe.concurrent('a reload without room for both engines', patient, () => {
  it('drains the old one first, as it always did', async (t) => {
    const house = await daemonHouse(t);
    const big = join(house.dir, 'big.gguf');
    await writeFile(big, '');
    await truncate(big, 14 * 1024 ** 3);
    await house.declare([house.stub('pool-0', { model: big })]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    await reload(daemon, { slots: 3 });
    await daemon.sees('pool-0', 'ready with three slots', ({ ready, slots_total }) => ready && slots_total === 3);
    const events = [...(await daemon.events('pool-0'))].reverse();
    expect(events.flatMap(({ outcome }) => outcome ?? [])).toEqual(['reloaded']);
    const refusal = events.find(({ event }) => event === 'admission.refused');
    expect(refusal).toMatchObject({ actor: 'pool-0--b#2', reason: { code: 'insufficient_vram' } });
    const drained = events.find(({ to, actor }) => to.startsWith('draining') && actor === 'pool-0#1');
    const asked = events.find(({ to, actor }) => to === 'starting.admitting.asking' && actor === 'pool-0--b#2');
    expect(drained?.seq).toBeGreaterThan(asked?.seq ?? Number.POSITIVE_INFINITY);
    expect(house.runs('pool-0')).toHaveLength(1);
    await daemon.end();
    expect(foldJournal(house.stateDir)).toMatchObject({ divergence: null, passedOver: 0 });
  });
});

describe.concurrent('an order over the API without room for both engines', patient, () => {
  const bigModel = async (house: House, gib: number): Promise<string> => {
    const file = join(house.dir, `${gib}.gguf`);
    await writeFile(file, '');
    await truncate(file, gib * 1024 ** 3);
    return file;
  };

  it('is rolled back by the next daemon, where the first one died while the new engine loaded', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0', { model: await bigModel(house, 14) })]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    await reload(daemon, { slots: 3, env: { STUB_LOAD_MS: '3000', STUB_FAIL_LOAD: 'error loading model: bad magic' } });
    await daemon.sees('pool-0', 'loading', ({ state, substate }) => state === 'starting' && substate.startsWith('loading'));
    await daemon.end('SIGKILL');
    const next = await house.start();
    const back = await next.sees('pool-0', 'ready with two slots again', ({ ready, slots_total }) => ready && slots_total === 2);
    expect(back.last_error?.code).toBe('model_incompatible');
    const [outcome] = (await next.events('pool-0')).filter(({ outcome }) => outcome !== null);
    expect(outcome).toMatchObject({ outcome: 'rolled_back', reason: { code: 'model_incompatible' } });
    await asking('the order to be off the disk', async () => (await readdir(join(house.stateDir, 'overrides'))).length === 0);
  });

  it('too large for the card is refused, and costs nothing that serves', async (t) => {
    const { house, daemon } = await serving(t);
    const before = house.runs('pool-0');
    await reload(daemon, { new_model_ref: await bigModel(house, 30) });
    await asking('the outcome', async () => (await outcomes(daemon))[0] === 'rolled_back');
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, last_error: { code: 'insufficient_vram' } });
    expect(house.runs('pool-0')).toEqual(before);
  });
});

describe.concurrent('a daemon that is killed in the middle of a reload', patient, () => {
  const again = async (house: House, daemon: Daemon): Promise<Daemon> => {
    await daemon.end('SIGKILL');
    return house.start();
  };

  it('while the new engine loads goes on with the old one, ends the new one and raises it again', async (t) => {
    const { house, daemon } = await serving(t);
    const [old] = house.runs('pool-0');
    await house.declare([house.stub('pool-0', { slots: 3, env: slow })]);
    await until('the second engine', () => house.runs('pool-0').length === 2);
    const cut = house.run('pool-0');

    const next = await again(house, daemon);
    expect(await next.sees('pool-0', 'ready', ({ ready }) => ready)).toMatchObject({ incarnation: old?.incarnation, slots_total: 2 });
    await until('the new engine to be ended', () => !house.left().includes(cut?.pid ?? 0));
    await until('it to be tried again', () => house.runs('pool-0').length === 2);
    expect(house.runs('pool-0')[0]).toEqual(old);
    await house.declare([house.stub('pool-0', { slots: 4 })]);
    expect(await next.sees('pool-0', 'ready with four slots', ({ ready, slots_total }) => ready && slots_total === 4)).toMatchObject({ restarts: 0 });
    await gone(house);
    const journey = (await next.events('pool-0')).filter(({ incarnation }) => incarnation === old?.incarnation).map(({ to }) => to);
    expect(journey).toContain('ready.healthy');
  });

  it('while the old engine drains goes on with the new one, and cuts nothing of what the old one does', async (t) => {
    const { house, daemon } = await serving(t, { timeouts: { drain_ms: 30_000, stop_ms: 2_000 }, env: { STUB_TOKENS_PER_SECOND: '20' } });
    const [old] = house.runs('pool-0');
    const request = stream(old?.endpoint ?? '', 120);
    await request.begun;
    await house.declare([house.stub('pool-0', { slots: 3, timeouts: { drain_ms: 30_000, stop_ms: 2_000 }, env: { STUB_TOKENS_PER_SECOND: '20' } })]);
    await daemon.sees('pool-0', 'ready with three slots', ({ ready, slots_total }) => ready && slots_total === 3);
    const fresh = house.run('pool-0');
    await until('the old one to be known as replaced', () => house.memory('pool-0')?.wanted === 'down');

    const next = await again(house, daemon);
    expect(await next.sees('pool-0', 'ready', ({ ready }) => ready)).toMatchObject({ incarnation: fresh?.incarnation, slots_total: 3 });
    expect(await request.done).toMatchObject({ whole: true, tokens: 120 });
    await gone(house);
    expect(house.runs('pool-0')).toEqual([fresh]);
    expect((await next.pools()).map(({ pool_id }) => pool_id)).toEqual(['pool-0']);
    await next.end('SIGKILL');
    const third = await house.start();
    expect(await third.sees('pool-0', 'ready', ({ ready }) => ready)).toMatchObject({ incarnation: fresh?.incarnation, wanted: 'up' });
    await third.end();
    expect(foldJournal(house.stateDir)).toMatchObject({ divergence: null, passedOver: 0 });
  });
});
