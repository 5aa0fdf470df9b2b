/** The disk of the state directory is full for a while: everything that suffers says so, and is well again with room. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { foldJournal } from '../kit/fold-journal.ts';
import { runCommand } from '../kit/run-command.ts';
import { mountSmallDisk } from '../kit/small-disk.ts';

it('A full state disk is told by node, pool and log; events go on; with room all is as before but what history misses', patient, async (t) => {
  const house = await daemonHouse(t);
  mkdirSync(house.stateDir);
  const disk = mountSmallDisk(house.stateDir, '3m');
  if (disk === null) return t.skip('root may mount a tmpfs; this user may not, here');
  t.onTestFinished(() => {
    for (const pid of house.left()) process.kill(pid, 'SIGKILL');
    disk.unmount();
  });
  await house.declare([house.stub('pool-0')]);
  const daemon = await house.start();
  await daemon.ready('pool-0');
  expect((await daemon.node()).degraded).toEqual([]);

  disk.fill();
  process.kill(house.run('pool-0')?.pid ?? Number.NaN, 'SIGKILL');
  const pool = await daemon.sees('pool-0', 'without its memory on disk', ({ degraded }) => degraded.length > 0);
  expect(pool.degraded).toEqual(['disk_full']);
  const failing = await asking('the node to say that no history is kept', async () => (await daemon.node()).degraded[0]);
  expect(failing).toBe(
    `journal_failing: ENOSPC: no space left on device, write; history is not being kept; make room on ${join(house.stateDir, 'journal')}`,
  );
  const counted = async (): Promise<number> =>
    ((await daemon.metric(/^pool_restarts_total\{.*pool_id="pool-0".*reason="engine_exited"/)) ?? 0) +
    ((await daemon.metric(/^pool_restarts_total\{.*pool_id="pool-0".*reason="disk_full"/)) ?? 0);
  await asking('both failures to be counted', async () => (await counted()) >= 2);
  await daemon.sees('pool-0', 'waiting for room', ({ live, reason }) => !live && reason?.code === 'disk_full');
  // What is shown of restarts is what the next daemon will know.
  expect((await daemon.pool('pool-0')).restarts).toBe(0);
  expect((await daemon.events('pool-0')).map(({ to }) => to)).toContain('offline.backingOff');

  disk.free();
  await asking('the node to be well', async () => (await daemon.node()).degraded.length === 0);
  await daemon.ready('pool-0');
  const { restarts } = await daemon.sees('pool-0', 'on disk again', ({ degraded }) => degraded.length === 0);
  expect(restarts).toBe(await counted());
  const events = await daemon.events('pool-0');
  const said = daemon.log().map(({ level, msg }) => `${level} ${msg}`);
  const once = (what: RegExp): void => expect(said.filter((line) => what.test(line))).toHaveLength(1);
  once(/^error the journal cannot be written: ENOSPC/);
  once(/^info the journal is written again; \d+ events are missing/);
  once(/^error what is to be known of the pool after a restart cannot be kept: .*free some space/);
  once(/^info what is to be known of the pool after a restart is on disk again/);
  await daemon.ask('POST', '/v2/pools/pool-0/drain', {});
  await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
  await daemon.end();

  const { divergence, passedOver, gaps } = foldJournal(house.stateDir);
  expect([divergence, passedOver, gaps.length]).toEqual([null, 0, 1]);
  const { exitCode, stdout } = await runCommand(['replay', join(house.stateDir, 'journal', 'events.jsonl')]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain(`events are missing behind seq ${gaps[0]?.after} (the journal could not be written: ENOSPC`);

  // None of the transitions of the meantime is missing to the next daemon.
  const next = await house.start();
  const kept = (await next.events('pool-0')).map(({ seq }) => seq);
  expect(kept).toEqual(expect.arrayContaining(events.map(({ seq }) => seq)));
  await next.end();
});
