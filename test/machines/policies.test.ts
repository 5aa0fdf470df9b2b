/** The small policies: how long, whose handoff, which words. */
import { describe, expect, it } from 'vitest';
import { pathOf, rfc3339, rfc3339OrNull } from '../../src/machines/policies/describe.ts';
import { judgeHandoff, outcomeOfHandoff, portOf } from '../../src/machines/policies/handoff.ts';
import { shutdownLimitMs, startLeftMs, startMaxMs } from '../../src/machines/policies/limits.ts';
import { foreignHandoff, handoff, model, run, spec } from '../kit/pool-words.ts';

const timed = (start_max_ms: number | null) => ({ ...spec, timeouts: { ...spec.timeouts, start_max_ms } });

describe('the cap on a start', () => {
  it.each([
    [null, null, 600_000],
    [null, 0, 600_000],
    [null, 40_000_000_000, 600_000 + 2_000_000],
    [null, 1, 600_001],
    [5_000, 40_000_000_000, 5_000],
  ])('configured %j, model of %j bytes: %i ms', (configured, bytes, expected) => {
    expect(startMaxMs(timed(configured), { ...model, bytes })).toBe(expected);
  });

  it('without a model is ten minutes', () => {
    expect(startMaxMs(timed(null), null)).toBe(600_000);
  });

  it.each([
    [600_000, 300_000, 0, 600_000],
    [600_000, 300_000, 200_000, 400_000],
    [600_000, 300_000, 599_999, 300_000],
    [600_000, 300_000, 86_400_000, 300_000],
    [5_000, 300_000, 4_000, 5_000],
  ])('of %i ms, stall %i, after %i has %i left', (limitMs, stallMs, elapsedMs, expected) => {
    expect(startLeftMs(limitMs, stallMs, elapsedMs)).toBe(expected);
  });
});

it('a shutdown waits for the slowest pool', () => {
  expect(shutdownLimitMs([])).toBe(20_000);
  expect(shutdownLimitMs([spec, { ...spec, timeouts: { ...spec.timeouts, drain_ms: 600_000 } }])).toBe(645_000);
});

describe('whose handoff it is', () => {
  it.each([
    ['of this incarnation', run, handoff, 'ours'],
    ['of this incarnation, elsewhere', run, { ...handoff, endpoint: 'http://10.0.0.1:1' }, 'ours'],
    ['of another incarnation', run, { ...handoff, incarnation: 'inc-0' }, 'stale'],
    ['of an incarnation, while there is no engine', null, handoff, 'stale'],
    ['without incarnation, while there is no engine', null, foreignHandoff, 'other'],
    ['without incarnation, on our port', run, foreignHandoff, 'ours'],
    ['without incarnation, on another port', run, { ...foreignHandoff, endpoint: 'http://127.0.0.1:1' }, 'other'],
    ['of our pid', run, { ...foreignHandoff, pid: run.pid }, 'ours'],
    ['of another pid', run, { ...foreignHandoff, pid: 1 }, 'stale'],
    ['of our pid in another life', run, { ...foreignHandoff, pid: run.pid, pidStartTime: 1 }, 'stale'],
    ['with no URL', run, { ...foreignHandoff, endpoint: 'nonsense' }, 'other'],
    ['on the port that goes without saying', { ...run, port: 80 }, { ...foreignHandoff, endpoint: 'http://localhost' }, 'ours'],
  ] as const)('%s', (_, record, file, expected) => {
    expect(judgeHandoff(record, file)).toBe(expected);
  });

  it.each([
    ['file', handoff, 'accepted'],
    ['file', { ...handoff, ready: false }, 'not_ready'],
    ['file', { ...handoff, incarnation: 'inc-0' }, 'stale'],
    ['api', { ...foreignHandoff, endpoint: 'http://127.0.0.1:1' }, 'ignored'],
    ['api', { ...foreignHandoff, endpoint: 'http://127.0.0.1:1', ready: false }, 'ignored'],
    ['attached', { ...foreignHandoff, endpoint: 'http://127.0.0.1:1' }, 'attached'],
    ['attached', { ...foreignHandoff, ready: false }, 'not_ready'],
  ] as const)('for a pool of origin %s', (origin, file, expected) => {
    expect(outcomeOfHandoff(origin, run, file)).toBe(expected);
  });

  it.each([
    ['http://localhost', 80],
    ['https://localhost/x', 443],
    ['http://[::1]:8081', 8081],
    ['', null],
    ['localhost:99999999', null],
  ])('the port of %j is %j', (endpoint, expected) => {
    expect(portOf(endpoint)).toBe(expected);
  });
});

describe('a state as a path', () => {
  it.each([
    ['ended', 'ended'],
    [{ ready: 'healthy' }, 'ready.healthy'],
    [{ draining: { emptying: 'waiting' } }, 'draining.emptying.waiting'],
    [{ provisioning: { engine: 'resolving', model: 'present' } }, 'provisioning.(engine.resolving,model.present)'],
    [{ lifecycle: 'serving', gpus: 'known' }, 'lifecycle.serving,gpus.known'],
    [{ ready: {} }, 'ready'],
    [{}, ''],
    [null, ''],
    [7, ''],
  ])('of %j is %j', (value, expected) => {
    expect(pathOf(value)).toBe(expected);
  });
});

it('times are RFC 3339 in UTC with milliseconds, unknown ones null', () => {
  expect(rfc3339(1_700_000_000_007)).toBe('2023-11-14T22:13:20.007Z');
  expect([rfc3339OrNull(0), rfc3339OrNull(null), rfc3339OrNull(undefined)]).toEqual(['1970-01-01T00:00:00.000Z', null, null]);
});
