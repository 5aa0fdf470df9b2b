/**
 * Nothing that happens to the daemon is noticed by an engine, nor, at its address, by who asks it (rows 1 to 12): real systemd,
 * real llama-servers, each as its own user.
 */
import { availableParallelism, loadavg } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type EngineFacts, type House, median, openHouse, poolsFile, whyNoHouse } from '../../kit/nspawn/house.ts';
import { until } from '../../kit/until.ts';

const whyNot = whyNoHouse();
if (whyNot !== null) console.log(`not run: the daemon under systemd: ${whyNot}`);

const rounds = 50;

describe.skipIf(whyNot !== null)('under systemd, with engines at work', () => {
  let house: House;
  let engines: readonly EngineFacts[];
  let asking: ReturnType<House['ask']>;

  beforeAll(async () => {
    house = await openHouse();
    engines = await house.engines();
    asking = house.ask('/v2/pools');
    expect(engines.every(({ pid, invocationId }) => pid > 1 && /^[0-9a-f]{32}$/.test(invocationId))).toBe(true);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log((await house.run(['journalctl', '--no-pager', '-o', 'short-monotonic', '-n', '60'])).stdout);
  });
  afterAll(async () => {
    await house?.destroy();
  });

  /** Where starts are counted: ten within five minutes are what a person gets. */
  const forgiveStarts = () => house.ok(['systemctl', 'reset-failed', 'pool-managerd.service']);
  const expectSameEngines = async (): Promise<void> => {
    expect(await house.engines()).toEqual(engines);
  };
  const expectNoRestarts = async (): Promise<void> => {
    await house.ready();
    expect((await Promise.all(house.pools.map(house.status))).map(({ restarts }) => restarts)).toEqual(house.pools.map(() => 0));
  };

  it('keeps engines through fifty restarts (row 1)', async () => {
    for (let round = 0; round < rounds; round += 1) {
      await forgiveStarts();
      await house.ok(['systemctl', 'restart', 'pool-managerd']);
      await expectSameEngines();
    }
    await expectNoRestarts();
  });

  const took: number[] = [];
  it('keeps engines through fifty kills (row 2)', async () => {
    for (let round = 0; round < rounds; round += 1) {
      await forgiveStarts();
      const pid = await house.daemonPid();
      const killed = house.mono();
      await house.ok(['kill', '-KILL', String(pid)]);
      took.push((await house.readySince(pid)) - killed);
      await expectSameEngines();
    }
    await expectNoRestarts();
  });

  it('is ready again within a second of a kill, at the median (row 2)', (context) => {
    const figure = `SIGKILL to READY: median ${Math.round(median(took))} ms, worst ${Math.round(Math.max(...took))} ms, ${took.length} rounds`;
    console.log(figure);
    const [load = 0] = loadavg();
    if (load > 2 * availableParallelism()) context.skip(`${figure}; not judged at a load of ${load.toFixed(1)} on ${availableParallelism()} cores`);
    expect(median(took)).toBeLessThan(1000);
  });

  it('keeps engines through kills while it is itself starting (row 3)', async () => {
    for (let round = 0; round < 20; round += 1) {
      await forgiveStarts();
      const pid = await house.daemonPid();
      await house.run(['kill', '-KILL', String(pid)]);
      const next = await until('the next daemon', async () => {
        const found = await house.daemonPid();
        return found !== pid && found !== 0 && found;
      });
      // From its first instruction to somewhere past READY.
      await house.ok(['sleep', String((round * 50) / 1000)]);
      await house.run(['kill', '-KILL', String(next)]);
      await house.readySince(next);
      await expectSameEngines();
    }
    await expectNoRestarts();
  });

  it('is ended by the watchdog when it hangs, and is back within 20 s (row 7)', async () => {
    await forgiveStarts();
    const pid = await house.daemonPid();
    const stopped = house.mono();
    await house.ok(['kill', '-STOP', String(pid)]);
    const took = (await house.readySince(pid)) - stopped;
    console.log(`SIGSTOP to READY: ${Math.round(took)} ms`);
    expect(took).toBeLessThan(20_000);
    await expectSameEngines();
    await expectNoRestarts();
  });

  it('reloads its pools file, and returns from that when it is applied or refused (row 10)', async () => {
    await house.ready();
    const pid = await house.daemonPid();
    await house.write('/etc/pool-managerd/pools.yaml', poolsFile().replace('"version":1', '"version":1,"nonsense":true'));
    expect((await house.run(['systemctl', 'reload', 'pool-managerd'])).code).not.toBe(0);
    expect(await house.ok(['journalctl', '-o', 'cat', '-n', '20', '-u', 'pool-managerd'])).toMatch(/nonsense/);
    expect(await house.show('pool-managerd', 'ActiveState')).toBe('active');
    await house.write('/etc/pool-managerd/pools.yaml', poolsFile());
    await house.ok(['systemctl', 'reload', 'pool-managerd']);
    expect(await house.daemonPid()).toBe(pid);
    await expectSameEngines();
    await expectNoRestarts();
  });

  it('leaves engines alone when it is stopped, and starts again at the next request', async () => {
    await forgiveStarts();
    const begun = house.mono();
    await house.ok(['systemctl', 'stop', 'pool-managerd']);
    expect(house.mono() - begun).toBeLessThan(10_000);
    await until('a request to start it', async () => (await house.show('pool-managerd', 'ActiveState')) === 'active', 20_000);
    await expectSameEngines();
    await expectNoRestarts();
  });

  it('refused nobody all the while (row 12)', async () => {
    const { answered = 0, ...others } = await asking.stop();
    console.log(`requests: ${answered} answered, others ${JSON.stringify(others)}`);
    expect(answered).toBeGreaterThan(1000);
    expect(others['ECONNREFUSED'] ?? 0).toBe(0);
    // A kill may cut what is being answered; nothing else may happen to a request.
    expect(Object.keys(others).filter((one) => !['ECONNRESET', 'cut'].includes(one))).toEqual([]);
  });
});
