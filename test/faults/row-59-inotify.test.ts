/** Files are found by looking where inotify gives nothing: neither watches, nor events. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { type Daemon, daemonHouse, type House, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { freePorts } from '../kit/free-ports.ts';
import { mayInject } from '../kit/strace.ts';

/** From the first instruction on; calls that are not injected cost nothing. */
const under = (...faults: readonly string[]): readonly string[] => [
  'strace',
  ...['-D', '-f', '--seccomp-bpf', '-q', '-o', '/dev/null', '-e', 'trace=inotify_init1,inotify_add_watch'],
  ...faults.flatMap((fault) => ['-e', `inject=${fault}`]),
];

const houseUnder = async (t: TestContext, faults: readonly string[]): Promise<{ readonly house: House; readonly daemon: Daemon }> => {
  const house = await daemonHouse(t);
  await house.declare([house.stub('pool-0')]);
  const daemon = await house.begin({}, under(...faults)).up();
  await daemon.ready('pool-0');
  return { house, daemon };
};

/** Milliseconds until a file of somebody's engine is taken up. */
const handedOver = async ({ house, daemon }: { readonly house: House; readonly daemon: Daemon }): Promise<number> => {
  const endpoint = `http://127.0.0.1:${(await freePorts(1)).first}`;
  const written = join(house.dir, 'theirs-r0.json');
  await writeFile(written, JSON.stringify({ pool_id: 'theirs', engine: 'vllm', endpoint, slots: 1, ready: true }));
  const begun = performance.now();
  await rename(written, join(house.runtimeDir, 'theirs-r0.json'));
  await asking('the file to be seen', async () => (await daemon.ask('GET', '/v2/pools/theirs/status')).status === 200);
  return performance.now() - begun;
};

/** 200 ms of POOL_MANAGERD_WATCH_INTERVAL_MS, and what a busy machine takes. */
const withinMs = 1_500;

describe.skipIf(!mayInject).concurrent('inotify (needs strace and root)', patient, () => {
  it('that is exhausted is told, and handoffs and the pools file are followed by looking (row 59)', async (t) => {
    const own = await houseUnder(t, ['inotify_add_watch:error=ENOSPC', 'inotify_init1:error=EMFILE']);
    expect(await handedOver(own)).toBeLessThan(withinMs);
    await own.house.declare([own.house.stub('pool-0'), own.house.stub('pool-1', { devices: [1] })]);
    await asking('the pool to be known', async () => (await own.daemon.ask('GET', '/v2/pools/pool-1/status')).status === 200);
    await own.daemon.ready('pool-0', 'pool-1');
    expect(own.daemon.log().find(({ msg }) => msg.includes('cannot be watched'))?.msg).toContain(own.house.poolsFile);
  });

  it('that tells nothing, as on a network file system, is not needed for handoffs (row 60)', async (t) => {
    expect(await handedOver(await houseUnder(t, ['inotify_add_watch:retval=1']))).toBeLessThan(withinMs);
  });
});
