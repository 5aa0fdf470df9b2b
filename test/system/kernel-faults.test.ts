/** What the kernel may refuse a daemon while it runs: it stays up, says so, keeps its engines, and goes on when it may again. */
import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { pool } from '../chaos/faces.ts';
import { openFiles } from '../chaos/outside.ts';
import { type Daemon, daemonHouse, type House } from '../kit/daemon.ts';
import { inject, mayInject } from '../kit/strace.ts';
import { until } from '../kit/until.ts';

const ids = ['pool-0', 'pool-1'];

const openedHouse = async (): Promise<House> => {
  const house = await daemonHouse({ onTestFinished });
  await house.declare(ids.map((id, index) => pool(id, index, house.model, {})));
  return house;
};

const ready = async (): Promise<{ readonly house: House; readonly daemon: Daemon }> => {
  const house = await openedHouse();
  const daemon = await house.start();
  await daemon.ready(...ids);
  return { house, daemon };
};

const says = (daemon: Daemon, what: RegExp) =>
  until(`the log to say ${what}`, () => daemon.log().find((record) => what.test(JSON.stringify(record))), 10_000);

const runsOf = (house: House) => ids.map((id) => house.run(id));

describe.skipIf(!mayInject)('With faults of the kernel (needs strace and root)', () => {
  it('a journal that cannot be written is told, and costs no engine (row 68)', async () => {
    const { house, daemon } = await ready();
    const runs = runsOf(house);
    const broken = await inject(daemon.pid, ['write,pwrite64,writev:error=EIO'], join(house.stateDir, 'journal', 'events.jsonl'));
    await daemon.ask('POST', '/v2/pools/pool-0/drain', { deadline_ms: 0 });
    await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    await says(daemon, /journal.*EIO|EIO.*journal/);
    await broken.end();
    expect(runsOf(house)).toEqual([null, runs[1]]);
    await daemon.ask('POST', '/v2/pools/pool-0/preload');
    await daemon.ready(...ids);
    expect(await daemon.events('pool-0')).not.toEqual([]);
  });

  it('a state directory that takes no writes is told in the API, and costs no engine (row 68)', async () => {
    const { house, daemon } = await ready();
    const runs = runsOf(house);
    const full = await inject(daemon.pid, ['fsync,fdatasync:error=ENOSPC']);
    process.kill(runs[0]?.pid ?? 0, 'SIGKILL');
    await daemon.sees('pool-0', 'without its state on disk', (pool) => /disk_full|state_store_failed/.test(JSON.stringify(pool)));
    expect(house.run('pool-1')).toEqual(runs[1]);
    expect((await daemon.pool('pool-1')).ready).toBe(true);
    await full.end();
    // What could not be cleared away is tried again after half a minute.
    await daemon.sees('pool-0', 'ready', (pool) => pool.ready, 60_000);
    await daemon.sees('pool-0', 'all on disk again', ({ degraded }) => degraded.length === 0);
  });
});

describe('At the limit of open files', () => {
  it('the daemon stays up, keeps its engines, and answers again when there is room (row 87)', async (t) => {
    if (spawnSync('prlimit', ['--version']).status !== 0) return t.skip('there is no prlimit');
    const { house, daemon } = await ready();
    const runs = runsOf(house);
    const limit = (files: number): void => {
      expect(spawnSync('prlimit', ['--pid', String(daemon.pid), `--nofile=${files}:`]).status).toBe(0);
    };
    limit(openFiles(daemon.pid) - 2);
    for (let count = 0; count < 20; count += 1) await daemon.ask('GET', '/health').catch(() => null);
    appendFileSync(house.poolsFile, '\n');
    process.kill(runs[0]?.pid ?? 0, 'SIGKILL');
    await says(daemon, /EMFILE|too many open files|engine_exited/i);
    limit(4_096);
    await until(
      'an answer',
      () =>
        daemon.ask('GET', '/health').then(
          ({ status }) => status === 200,
          () => false,
        ),
      10_000,
    );
    await daemon.ready(...ids);
    expect(house.run('pool-1')).toEqual(runs[1]);
    expect((await daemon.pool('pool-1')).restarts).toBe(0);
  });
});
