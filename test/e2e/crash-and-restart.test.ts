/** What outlives what: engines their daemon, pools their engines; and one daemon per state directory. */
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { findNvidiaDisplays } from '../../src/gpu/pci.ts';
import { stream } from '../kit/completions.ts';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { foldJournal } from '../kit/fold-journal.ts';
import { isFree } from '../kit/free-ports.ts';

const pidOf = (run: { readonly pid: number } | null | undefined): number => run?.pid ?? Number.NaN;

describe.concurrent('an engine that is killed', patient, () => {
  it('is not ready at once, the control plane hears of it, and it is started again by the policy', async (t) => {
    const orchestrator = await startOrchestratorStandIn({ nextHeartbeatMs: 5_000 });
    t.onTestFinished(orchestrator.close);
    const house = await daemonHouse(t, { ORCHESTRATORD_URL: orchestrator.url });
    await house.declare([house.stub('pool-0', { restart: { initial_ms: 500, max_ms: 1_000 } }), house.stub('pool-1')]);
    const daemon = await house.start();
    await daemon.ready('pool-0', 'pool-1');
    await asking('a heartbeat that says ready', () => orchestrator.node('node-0')?.pools['pool-0']?.ready);
    const [first, other] = [house.run('pool-0'), house.run('pool-1')];

    process.kill(pidOf(first), 'SIGKILL');
    await daemon.sees('pool-0', 'out of ready', ({ ready }) => !ready, 1_000);
    await asking('a heartbeat that says not ready', () => orchestrator.node('node-0')?.pools['pool-0']?.ready === false, 1_000);
    const waiting = await daemon.sees('pool-0', 'backing off', ({ substate }) => substate === 'backingOff');
    expect(waiting).toMatchObject({
      state: 'offline',
      live: false,
      wanted: 'up',
      endpoint: null,
      reason: { code: 'engine_exited', retryable: true, attempt: 1 },
    });
    expect(waiting.reason?.message).toContain('SIGKILL');
    expect(waiting.reason?.next_retry_at).not.toBeNull();

    const [again] = await daemon.ready('pool-0');
    expect(again).toMatchObject({ restarts: 1, reason: null, last_error: { code: 'engine_exited' } });
    expect(house.run('pool-0')?.incarnation).not.toBe(first?.incarnation);
    await asking('a heartbeat that says ready again', () => orchestrator.node('node-0')?.pools['pool-0']?.ready, 1_000);
    expect(await daemon.metric(/^pool_restarts_total\{.*pool_id="pool-0".*reason="engine_exited"/)).toBe(1);
    expect(house.run('pool-1')).toEqual(other);
  });
});

describe.concurrent('a pool that waits before it is tried again', patient, () => {
  it('waits on under the next daemon, which does not try at once', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0', { restart: { initial_ms: 600_000, max_ms: 600_000 } })]);
    const killed = await house.start();
    await killed.ready('pool-0');
    process.kill(pidOf(house.run('pool-0')), 'SIGKILL');
    const { reason } = await killed.sees('pool-0', 'backing off', ({ substate }) => substate === 'backingOff');
    await asking('the wait to be on disk', () => house.memory('pool-0')?.retry != null);
    await killed.end('SIGKILL');

    const next = await house.start();
    const waiting = await next.sees('pool-0', 'backing off', ({ substate }) => substate === 'backingOff');
    expect(waiting).toMatchObject({ restarts: 1, wanted: 'up', reason: { code: 'engine_exited', message: reason?.message } });
    expect(waiting.reason?.next_retry_at).toBe(reason?.next_retry_at);
    expect(house.runs('pool-0')).toEqual([]);
    expect(foldJournal(house.stateDir).divergence).toBeNull();
  });
});

describe.concurrent('a daemon that goes', patient, () => {
  it('leaves its engines and their requests alone when it is killed, keeps them on SIGTERM, takes them along when told to drain', async (t) => {
    const orchestrator = await startOrchestratorStandIn();
    t.onTestFinished(orchestrator.close);
    const house = await daemonHouse(t, { ORCHESTRATORD_URL: orchestrator.url });
    await house.declare([house.stub('pool-0', { env: { STUB_TOKENS_PER_SECOND: '20' } }), house.stub('pool-1', { devices: [1] })]);
    const killed = await house.start();
    await killed.ready('pool-0', 'pool-1');
    const runs = [house.run('pool-0'), house.run('pool-1')];
    const request = stream(runs[0]?.endpoint ?? '', 30);
    await request.begun;
    await killed.end('SIGKILL');

    const kept = await house.start();
    for (const pool of await kept.ready('pool-0', 'pool-1'))
      expect(pool).toMatchObject({ restarts: 0, residency: 'simulated', reason: null, last_error: null });
    expect([house.run('pool-0'), house.run('pool-1')]).toEqual(runs);
    expect((await kept.events('pool-0')).map(({ event }) => event)).toContain('xstate.done.actor.adoptEngine');
    expect(await request.done).toMatchObject({ whole: true, tokens: 30 });
    expect(await kept.end('SIGTERM')).toMatchObject({ code: 0 });
    expect(kept.log().at(-1)?.msg).toMatch(`pool-0 (pid ${pidOf(runs[0])}, ${runs[0]?.endpoint})`);
    expect(kept.log().at(-1)?.msg).toMatch(`pool-1 (pid ${pidOf(runs[1])}`);
    expect(orchestrator.node('node-0')).not.toBeNull();

    const drained = await house.start({ POOL_MANAGERD_SHUTDOWN: 'drain' });
    await drained.ready('pool-0', 'pool-1');
    expect([house.run('pool-0'), house.run('pool-1')]).toEqual(runs);
    expect(await drained.end('SIGTERM')).toMatchObject({ code: 0 });
    expect(drained.log().at(-1)?.msg).toBe('every engine has ended');
    expect(house.left()).toEqual([]);
    expect([house.run('pool-0'), house.run('pool-1')]).toEqual([null, null]);
    expect(await readdir(house.runtimeDir)).toEqual([]);
    expect(await isFree(runs[0]?.port ?? 0)).toBe(true);
    expect(orchestrator.node('node-0')).toBeNull();

    const { divergence, passedOver, folded } = foldJournal(house.stateDir);
    expect(divergence).toBeNull();
    expect(passedOver).toBe(0);
    expect(folded).toBeGreaterThan(50);
  });

  it('is followed by one that goes on where its engines were: loading, and draining to the same deadline', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([
      house.stub('loading', { preload: false, env: { STUB_LOAD_MS: '2500' } }),
      house.stub('draining', { env: { STUB_TOKENS_PER_SECOND: '10' } }),
    ]);
    const killed = await house.start();
    await killed.ready('draining');
    const request = stream(house.run('draining')?.endpoint ?? '', 10_000);
    await request.begun;
    await killed.ask('POST', '/v2/pools/loading/preload');
    await killed.sees('loading', 'loading', ({ substate }) => substate.startsWith('loading'));
    const ordered = performance.now();
    expect((await killed.ask('POST', '/v2/pools/draining/drain', { deadline_ms: 4_000 })).status).toBe(202);
    await asking('the order to be on disk', () => house.memory('draining')?.wanted === 'down');
    const run = house.run('loading');
    await killed.end('SIGKILL');

    const next = await house.start();
    const [loaded] = await next.ready('loading');
    expect(loaded?.restarts).toBe(0);
    expect(house.run('loading')).toEqual(run);
    const stopped = await next.sees('draining', 'stopped', ({ substate }) => substate === 'stopped');
    expect(stopped).toMatchObject({ wanted: 'down', live: false, restarts: 0 });
    expect(await request.done).toMatchObject({ whole: false });
    expect(performance.now() - ordered).toBeGreaterThan(3_900);
    expect(await next.metric(/^pool_drain_forced_total\{.*draining/)).toBe(1);
    expect(foldJournal(house.stateDir).divergence).toBeNull();
  });

  it('is the only one of its state directory: a second one exits with 75, names it, and disturbs nothing', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    const daemon = await house.start();
    const second = await house.refused();
    expect(second.code).toBe(75);
    expect(second.stderr).toContain(`pid ${daemon.pid} `);
    expect(second.stderr).toContain('POOL_MANAGERD_STATE_DIR');
    expect((await daemon.ask('GET', '/health')).body).toMatchObject({ status: 'ok' });
    await daemon.end('SIGKILL');
    await (await house.start()).end();
  });
});

describe.concurrent('a start that cannot be', patient, () => {
  it('tells all mistakes of environment and pools file at once and exits with 78', async (t) => {
    const house = await daemonHouse(t);
    await house.declare('pools:\n  - id: Pool_0\n    engine: llamacp\n    devices: [0]\n    slotz: 3\n');
    const { code, stderr } = await house.refused({
      POOL_MANAGERD_SHUTDOWN: 'maybe',
      POOL_MANAGERD_WATCH_INTERVAL_MS: '5',
      POOL_MANAGERD_PORT_RANGE: '9-1',
    });
    expect(code).toBe(78);
    for (const named of [
      'POOL_MANAGERD_SHUTDOWN',
      'maybe',
      'POOL_MANAGERD_WATCH_INTERVAL_MS',
      'POOL_MANAGERD_PORT_RANGE',
      'Pool_0',
      'llamacp',
      'slotz',
    ])
      expect(stderr).toContain(named);
    expect(house.left()).toEqual([]);
  });

  it('is over within two seconds, with 69, on a machine without an NVIDIA GPU', async (t) => {
    if ((await findNvidiaDisplays()).nvidiaDisplays.length > 0) return t.skip('this machine has an NVIDIA GPU');
    const house = await daemonHouse(t, { POOL_MANAGERD_GPU_SOURCE: 'auto' });
    await house.declare([]);
    const mistaken = await house.refused({ POOL_MANAGERD_SHUTDOWN: 'maybe' });
    const { code, stderr, ms } = await house.refused();
    expect(code).toBe(69);
    expect(stderr).toContain('npm run demo');
    // What a process takes to start on this machine now is not the rule's.
    expect(ms - mistaken.ms).toBeLessThan(2_000);
  });
});
