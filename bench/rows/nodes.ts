/** Two hundred nodes and one control plane: whether their heartbeats, and their return after an outage, come spread or all at once. */
import { setImmediate as turn } from 'node:timers/promises';
import { createActor, fromPromise, SimulatedClock } from 'xstate';
import type { CallOutcome } from '../../src/machines/registration/actors.ts';
import { registrationMachine } from '../../src/machines/registration/machine.ts';
import type { Row } from '../kit/row.ts';

const nodes = 200;
const intervalMs = 10_000;
const stepMs = 50;
const minute = 60_000;

export const manyNodes: Row = {
  id: 'nodes',
  title: `${nodes} nodes and one orchestratord`,
  method:
    `The registration charts of ${nodes} nodes, all started in the same instant, on one simulated clock, with a control plane that answers at once: calls ` +
    `per second. Heartbeats every ${intervalMs / 1_000} s, counted for ten minutes from the fifth on; then a minute in which nobody answers, and the minute after it.`,
  limits: null,
  quick: true,
  measure: async () => {
    const fleet = startFleet();
    await fleet.pass(5 * minute);
    const steady = await fleet.pass(10 * minute);
    fleet.isUp = false;
    await fleet.pass(minute);
    fleet.isUp = true;
    const after = await fleet.pass(minute);
    fleet.stop();
    if (fleet.unregistered() > 0)
      throw new Error(`expected all nodes to be back a minute after the outage, found ${fleet.unregistered()} that are not`);
    const mean = (nodes * 1_000) / intervalMs;
    return {
      findings: [
        {
          key: 'nodes.peak',
          what: 'heartbeats in the busiest second',
          figure: Math.max(...steady.heartbeats),
          unit: '/s',
          better: 'less',
          against: { what: 'mean', figure: mean },
          aim: { of: 'ratio', limit: 2 },
        },
        {
          key: 'nodes.storm',
          what: 'registrations in the busiest second after an outage',
          figure: Math.max(...after.registrations),
          unit: '/s',
          better: 'less',
          against: { what: 'mean of heartbeats', figure: mean },
          aim: { of: 'ratio', limit: 2 },
        },
      ],
      remarks: [],
    };
  },
};

interface Counted {
  /** By second. */
  readonly heartbeats: readonly number[];
  readonly registrations: readonly number[];
}

const startFleet = () => {
  const clock = new SimulatedClock();
  const now = () => ({ at: clock.now(), mono: clock.now() });
  const calls: { kind: 'heartbeat' | 'register'; at: number }[] = [];
  const fleet = { isUp: true };
  const answer = async (kind: 'heartbeat' | 'register'): Promise<CallOutcome> => {
    calls.push({ kind, at: clock.now() });
    return fleet.isUp
      ? { result: 'accepted', body: { success: true }, nextHeartbeatMs: intervalMs, draining: [], ...now() }
      : { result: 'unreachable', message: 'connection refused', ...now() };
  };
  const machine = registrationMachine.provide({
    actors: {
      registerNode: fromPromise<CallOutcome, Record<string, never>>(() => answer('register')),
      sendHeartbeat: fromPromise<CallOutcome, { readonly sequence: number }>(() => answer('heartbeat')),
    },
  });
  const actors = Array.from({ length: nodes }, (_, index) =>
    createActor(machine, {
      clock,
      input: {
        enabled: true,
        orchestratorUrl: 'http://127.0.0.1:8080',
        registerOnStartup: true,
        heartbeatIntervalMs: intervalMs,
        nodeId: `gpu-node-${index}`,
      },
    }).start(),
  );
  const perSecond = (kind: 'heartbeat' | 'register', from: number, ms: number): readonly number[] => {
    const seconds = new Array<number>(ms / 1_000).fill(0);
    for (const call of calls)
      if (call.kind === kind) seconds[Math.floor((call.at - from) / 1_000)] = (seconds[Math.floor((call.at - from) / 1_000)] ?? 0) + 1;
    return seconds;
  };
  return Object.assign(fleet, {
    pass: async (ms: number): Promise<Counted> => {
      calls.length = 0;
      const from = clock.now();
      for (let passed = 0; passed < ms; passed += stepMs) {
        clock.increment(stepMs);
        await turn();
      }
      return { heartbeats: perSecond('heartbeat', from, ms), registrations: perSecond('register', from, ms) };
    },
    unregistered: () => actors.filter((actor) => !actor.getSnapshot().matches('registered')).length,
    stop: () => {
      for (const actor of actors) actor.stop();
    },
  });
};
