/** A node and its control plane, told on simulated time; at the end every transition of the chart was taken. */

import { afterAll, describe, expect, it } from 'vitest';
import { initialTransition, transition } from 'xstate';
import type { RegistrationInput } from '../../src/machines/registration/context.ts';
import { registrationMachine } from '../../src/machines/registration/machine.ts';
import { accepted, driveRegistration, plain, rejected, settled, unknownNode, unreachable } from '../kit/registration-driver.ts';
import { createCoverage } from '../kit/transition-coverage.ts';

const coverage = createCoverage(registrationMachine);
const drive = (input: Partial<RegistrationInput> = {}, alone = false) => driveRegistration(coverage.inspect, input, alone);
const kinds = (driver: ReturnType<typeof drive>) => driver.calls.map((call) => call.kind);

afterAll(() => {
  expect(coverage.missing(), 'transitions that no test took').toEqual([]);
});

describe('without a control plane', () => {
  it('stays disabled, calls nobody and ends at once when told to leave', () => {
    const driver = drive({ enabled: false, orchestratorUrl: null });
    driver.send('node.register');
    driver.send('readiness.changed');
    driver.pass(600_000);
    expect(driver.view()).toMatchObject({ state: 'disabled', orchestrator_url: null, last_success_at: null, last_error: null });
    expect(driver.calls).toEqual([]);
    driver.send('node.deregister');
    expect(driver.view().state).toBe('ended');
    expect(driver.reports).toEqual([{ type: 'registration.ended' }]);
  });
});

describe('registering', () => {
  it('registers at the start and sends a heartbeat right after, since only heartbeats carry readiness', async () => {
    const driver = drive();
    expect(driver.view().state).toBe('registering');
    await driver.open('register').answer(accepted(null));
    expect(driver.where()).toBe('registered.beating');
    expect(driver.open('heartbeat').sequence).toBe(1);
    await driver.open('heartbeat').answer(accepted(10_000, ['pool-0']));
    expect(driver.reports).toEqual([{ type: 'heartbeat.acknowledged', draining: ['pool-0'] }]);
    expect(driver.view()).toMatchObject({ state: 'registered', attempt: 0, heartbeat_sequence: 1, last_success_at: '2023-11-14T22:13:20.000Z' });
  });

  it('waits for a person when it must not register by itself', async () => {
    for (const order of ['node.register', 'node.heartbeat'] as const) {
      const driver = drive({ registerOnStartup: false });
      driver.send('roster.changed');
      driver.pass(600_000);
      expect(driver.view().state).toBe('unregistered');
      driver.send(order);
      expect(driver.view().state).toBe('registering');
    }
    const leaving = drive({ registerOnStartup: false });
    leaving.send('node.deregister');
    expect(leaving.view().state).toBe('ended');
    expect(leaving.calls).toEqual([]);
  });

  it('tries again after 1, 2, 4 … 30 s, each shortened by at most a fifth, and never gives up', async () => {
    const driver = drive();
    for (const limit of [1, 2, 4, 8, 16, 30, 30, 30, 30]) {
      await driver.open('register').answer(unreachable);
      expect(driver.view()).toMatchObject({ state: 'backingOff', last_error: 'connection refused' });
      const before = driver.calls.length;
      driver.pass(limit * 800 - 1);
      expect(driver.calls).toHaveLength(before);
      driver.pass(limit * 200 + 1);
      expect(driver.calls).toHaveLength(before + 1);
    }
    expect(driver.view().attempt).toBe(9);
  });

  it('says why it was rejected and asks again about once a minute', async () => {
    const driver = drive();
    await driver.open('register').answer(rejected);
    expect(driver.view()).toMatchObject({ state: 'rejected', last_error: '401: the token is wrong' });
    driver.pass(47_999);
    expect(driver.calls).toHaveLength(1);
    driver.pass(24_001);
    expect(driver.view().state).toBe('registering');
    await driver.open('register').answer(unknownNode);
    expect(driver.view().state, 'a 404 to a registration is a wrong address').toBe('rejected');
  });

  it('asks at once when the reason to reject may be gone', async () => {
    const driver = drive();
    for (const event of ['node.register', 'node.heartbeat', 'roster.changed'] as const) {
      await driver.open('register').answer(rejected);
      driver.send(event);
      expect(driver.view().state).toBe('registering');
    }
    driver.send('roster.changed');
    await driver.open('register').answer(rejected);
    expect(driver.view().state, 'the roster changed during the call').toBe('registering');
    expect(driver.calls).toHaveLength(5);
  });

  it('registers again when the roster changes, once for a burst, and never beside an open call', async () => {
    const driver = drive();
    driver.send('roster.changed');
    driver.send('roster.changed');
    await driver.open('register').answer(accepted());
    driver.send('roster.changed');
    await driver.open('heartbeat').answer(accepted());
    expect(driver.where()).toBe('registered.quiet');
    driver.pass(100);
    await driver.open('register').answer(accepted());
    await driver.open('heartbeat').answer(accepted());
    driver.send('roster.changed');
    driver.pass(100);
    await driver.open('register').answer(accepted());
    await driver.open('heartbeat').answer(accepted());
    driver.pass(100);
    expect(driver.where()).toBe('registered.waiting');
    driver.send('roster.changed');
    await driver.open('register').answer(accepted());
    expect(kinds(driver)).toEqual(['register', 'heartbeat', 'register', 'heartbeat', 'register', 'heartbeat', 'register', 'heartbeat']);
  });

  it('obeys an order to register in every standing, and counts the call for whoever waits for it', async () => {
    const driver = drive();
    await settled(driver);
    const ended = () => driver.snapshot().context.lastCall?.number ?? 0;
    expect(ended()).toBe(2);
    driver.send('node.register');
    await driver.open('register').answer(accepted());
    expect(driver.snapshot().context.lastCall).toMatchObject({
      kind: 'register',
      number: 3,
      outcome: { result: 'accepted', body: { success: true } },
    });
    await driver.open('heartbeat').answer(accepted());
    driver.send('node.register');
    driver.pass(100);
    await driver.open('register').answer(accepted());
    expect(driver.where()).toBe('registered.beating');
    driver.send('node.register');
    await driver.open('register').answer(unreachable);
    expect(driver.snapshot().context.lastCall).toMatchObject({ kind: 'register', number: 6, outcome: { result: 'unreachable' } });
    driver.send('node.register');
    expect(driver.view().state).toBe('registering');
  });
});

describe('heartbeats', () => {
  it('come at the interval the server names, ±20 %, and differ from beat to beat', async () => {
    const driver = drive();
    await settled(driver);
    const delays: number[] = [];
    for (let beat = 0; beat < 30; beat += 1) {
      const before = driver.calls.length;
      let waited = 100;
      while (driver.calls.length === before) {
        driver.pass(1);
        waited += 1;
      }
      delays.push(waited);
      await driver.open('heartbeat').answer(accepted(5_000));
      driver.pass(100);
    }
    expect(delays[0]).toBeGreaterThanOrEqual(8_000);
    expect(delays[0]).toBeLessThanOrEqual(12_000);
    for (const delay of delays.slice(1)) {
      expect(delay).toBeGreaterThanOrEqual(4_000);
      expect(delay).toBeLessThanOrEqual(6_000);
    }
    expect(new Set(delays).size).toBeGreaterThan(20);
    expect(driver.view()).toMatchObject({ heartbeat_interval_ms: 5_000, heartbeat_sequence: 31 });
  });

  it('keep within 1 s and 20 s whatever the server wishes', async () => {
    for (const [wish, interval] of [
      [0, 1_000],
      [-5, 1_000],
      [3_600_000, 20_000],
    ] as const) {
      const driver = drive();
      await driver.open('register').answer(accepted(wish));
      expect(driver.view().heartbeat_interval_ms).toBe(interval);
    }
  });

  it('follow a change of readiness at once, one for a burst, 100 ms apart at least', async () => {
    const driver = drive();
    await settled(driver);
    driver.pass(1_000);
    driver.send('readiness.changed');
    const first = driver.open('heartbeat');
    expect(first.at).toBe(1_100);
    for (let change = 0; change < 50; change += 1) driver.send('readiness.changed');
    expect(driver.calls.at(-1), 'at most one call is open').toBe(first);
    await first.answer(accepted());
    driver.pass(99);
    expect(driver.calls.at(-1)).toBe(first);
    driver.pass(1);
    const second = driver.open('heartbeat');
    expect(second.sequence).toBe(3);
    await second.answer(accepted());
    for (let change = 0; change < 50; change += 1) driver.send('readiness.changed');
    driver.pass(100);
    await driver.open('heartbeat').answer(accepted());
    driver.pass(100);
    expect(driver.where()).toBe('registered.waiting');
    expect(driver.calls).toHaveLength(5);
  });

  it('are sent on order', async () => {
    const driver = drive();
    await settled(driver);
    driver.send('node.heartbeat');
    driver.send('node.heartbeat');
    await driver.open('heartbeat').answer(accepted());
    driver.send('node.heartbeat');
    driver.pass(100);
    expect(driver.open('heartbeat').sequence).toBe(3);
    expect(driver.snapshot().context.lastCall).toMatchObject({ kind: 'heartbeat', number: 3 });
  });
});

describe('a control plane that fails', () => {
  it('is told again by heartbeat while its silence is short, and by registration from 25 s on', async () => {
    const driver = drive();
    await settled(driver);
    driver.send('readiness.changed');
    const kindsTried: string[] = [];
    while (driver.clock.now() < 60_000) {
      const call = driver.calls.at(-1);
      if (call === undefined) throw new Error('no call');
      kindsTried.push(`${call.kind} ${call.at < 25_100 ? 'early' : 'late'}`);
      await call.answer(unreachable);
      const before = driver.calls.length;
      while (driver.calls.length === before) driver.pass(50);
    }
    expect(new Set(kindsTried)).toEqual(new Set(['heartbeat early', 'register late']));
    await driver.open('register').answer(accepted());
    await driver.open('heartbeat').answer(accepted());
    expect(driver.view()).toMatchObject({ state: 'registered', attempt: 0, last_error: null });
  });

  it('that forgot the node hears a registration at once', async () => {
    const driver = drive();
    await settled(driver);
    driver.send('readiness.changed');
    await driver.open('heartbeat').answer(unknownNode);
    expect(driver.view().state).toBe('registering');
  });

  it('that forgets every registration is not asked in a loop', async () => {
    const driver = drive();
    await driver.open('register').answer(accepted());
    await driver.open('heartbeat').answer(unknownNode);
    expect(driver.view().state).toBe('backingOff');
    driver.pass(1_000);
    await driver.open('register').answer(accepted());
    await driver.open('heartbeat').answer(unknownNode);
    expect(driver.view()).toMatchObject({ state: 'backingOff', attempt: 2 });
  });

  it('that answers 200 to a heartbeat which came too late is registered with again', async () => {
    const driver = drive();
    await settled(driver);
    driver.send('readiness.changed');
    driver.pass(25_000);
    await driver.open('heartbeat').answer(accepted(10_000, ['pool-1']));
    expect(driver.view().state).toBe('registering');
    expect(driver.reports.at(-1)).toEqual({ type: 'heartbeat.acknowledged', draining: ['pool-1'] });
  });

  it('is registered with, not beaten at, when a beat is ordered after 25 s of silence', async () => {
    const driver = drive();
    await settled(driver);
    driver.actor.send({ type: 'node.heartbeat', at: 0, mono: driver.clock.now() + 30_000 });
    expect(driver.view().state).toBe('registering');
  });

  it('that takes no heartbeat any more is asked slowly', async () => {
    const driver = drive();
    await settled(driver);
    driver.send('node.heartbeat');
    await driver.open('heartbeat').answer(rejected);
    expect(driver.view().state).toBe('rejected');
    driver.pass(72_000);
    expect(driver.view().state).toBe('registering');
  });

  it('may be asked before the delay is over, by an order', async () => {
    const driver = drive();
    await driver.open('register').answer(unreachable);
    driver.send('node.heartbeat');
    await driver.open('register').answer(accepted());
    await driver.open('heartbeat').answer(unreachable);
    expect(driver.view().state).toBe('backingOff');
    driver.send('node.heartbeat');
    await driver.open('heartbeat').answer(unreachable);
    driver.send('roster.changed');
    driver.pass(4_000);
    expect(driver.view().state, 'a new roster needs a registration').toBe('registering');
  });

  it('does not take the node down with it when a call itself breaks', async () => {
    const driver = drive();
    await driver.open('register').fail(new Error('our bug'));
    expect(driver.view()).toMatchObject({ state: 'backingOff', last_error: 'the register call failed in an unexpected way: our bug' });
    driver.pass(1_000);
    await driver.open('register').answer(accepted());
    await driver.open('heartbeat').fail('a bare string');
    expect(driver.view().state).toBe('backingOff');
    driver.pass(2_000);
    await driver.open('heartbeat').answer(accepted());
    expect(driver.view()).toMatchObject({ state: 'registered', last_error: null });
  });
});

describe('leaving', () => {
  it('says good-bye from every standing and lets go of an open call', async () => {
    const standings = {
      registering: async () => drive(),
      registered: async () => {
        const driver = drive();
        await driver.open('register').answer(accepted());
        return driver;
      },
      backingOff: async () => {
        const driver = drive();
        await driver.open('register').answer(unreachable);
        return driver;
      },
      rejected: async () => {
        const driver = drive();
        await driver.open('register').answer(rejected);
        return driver;
      },
    };
    for (const [state, reach] of Object.entries(standings)) {
      const driver = await reach();
      expect(driver.view().state).toBe(state);
      const open = driver.calls.at(-1);
      driver.send('node.deregister');
      if (state === 'registering' || state === 'registered') expect(open?.aborted).toBe(true);
      await driver.open('deregister').answer({ result: 'accepted', body: {}, nextHeartbeatMs: null, draining: [] });
      expect(driver.view().state).toBe('ended');
      expect(driver.reports).toContainEqual({ type: 'registration.ended' });
    }
  });

  it('waits 5 s for an answer and no longer', async () => {
    const driver = drive();
    await settled(driver);
    driver.send('node.deregister');
    driver.send('readiness.changed');
    driver.pass(4_999);
    expect(driver.view().state).toBe('deregistering');
    driver.pass(1);
    expect(driver.view().state).toBe('ended');
  });

  it('ends also when the call breaks', async () => {
    const driver = drive();
    driver.send('node.deregister');
    await driver.open('deregister').fail(new Error('our bug'));
    expect(driver.view()).toMatchObject({ state: 'ended', last_error: 'the deregister call failed in an unexpected way: our bug' });
  });
});

describe('as a machine', () => {
  it('runs without a parent', async () => {
    const driver = drive({}, true);
    await settled(driver);
    driver.send('node.deregister');
    await driver.open('deregister').answer(unreachable);
    expect(driver.view().state).toBe('ended');
  });

  it('folds purely into the same value and context', async () => {
    const done = (at: number, output: object) => ({ type: 'xstate.done.actor.call', output: { ...output, at, mono: at }, actorId: 'call' });
    let [state] = initialTransition(registrationMachine, plain);
    const events: { type: string }[] = [
      done(1, accepted()),
      done(2, accepted(5_000, ['pool-0'])),
      { type: 'xstate.after.quiet.registration.registered.quiet' },
      { type: 'xstate.after.heartbeat.registration.registered.waiting' },
      done(4_000, unknownNode),
    ];
    for (const event of events)
      [state] = transition(registrationMachine, state, event as Parameters<typeof transition<typeof registrationMachine>>[2]);
    expect(state.value).toBe('registering');
    expect(state.context).toMatchObject({ sequence: 2, intervalMs: 5_000, attempt: 1, lastCall: { kind: 'heartbeat', number: 3 } });
  });
});
