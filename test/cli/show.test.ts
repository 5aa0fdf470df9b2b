/** A pool as people see it: since when, why, what to do, what was ordered of it, and what its engine said at its end. */
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { poolSchema, specSchema } from '../../src/cli/answers.ts';
import { isReasonCode, reasonTextOf } from '../../src/cli/reason-texts.ts';
import { poolDetail } from '../../src/cli/show.ts';
import { type ReasonCode, reasonCodes } from '../../src/machines/reasons.ts';
import type { PoolStatus } from '../../src/machines/views.ts';
import { poolStatus } from '../kit/views.ts';

const failed = (tail: readonly string[]) =>
  poolDetail(
    v.parse(poolSchema, {
      ...poolStatus(),
      last_error: { code: 'cuda_oom', message: 'it did not fit', at: '2026-01-01T00:00:00.000Z', exit: { code: 1, signal: null }, tail },
    }),
    false,
  );

it('shows the last ten lines of what the engine said, and how many came before them', () => {
  const lines = failed(Array.from({ length: 12 }, (_, index) => `line ${index}`));
  expect(lines.slice(-13)).toEqual([
    'last error:    cuda_oom: it did not fit (2026-01-01T00:00:00.000Z)',
    'it last said:',
    '  … (2 lines before)',
    ...Array.from({ length: 10 }, (_, index) => `  line ${index + 2}`),
  ]);
});

it('shows few lines whole, none as nothing, and no control characters', () => {
  expect(failed(['a', '\u001b[2Jb']).slice(-3)).toEqual(['it last said:', '  a', expect.not.stringContaining('\u001b')]);
  expect(failed([]).at(-1)).toContain('last error:');
});

const shown = (pool: object, label: string): string | null => {
  const line = poolDetail(v.parse(poolSchema, pool), false).find((each) => each.startsWith(`${label}:`));
  return line === undefined ? null : line.slice(label.length + 1).trim();
};

describe('the state', () => {
  const since = new Date(Date.now() - 12 * 60_000).toISOString();

  it('is told with the time of the outer state, which is the one that is known', () => {
    expect(shown(poolStatus({ since, substate: 'suspect' }), 'state')).toBe('ready for 12m, suspect');
    expect(shown(poolStatus({ since, state: 'starting', substate: 'loading.answering', ready: false }), 'state')).toBe(
      'starting for 12m, loading.answering',
    );
  });

  it('stands alone where it has no part', () => {
    expect(shown(poolStatus({ since, state: 'provisioning', substate: '', ready: false }), 'state')).toBe('provisioning for 12m');
  });
});

describe('what to do', () => {
  const down = (code: ReasonCode, own: Partial<PoolStatus> = {}) =>
    poolStatus({
      pool_id: 'chat',
      state: 'offline',
      substate: 'backingOff',
      ready: false,
      live: false,
      reason: { code, message: 'so it is', retryable: true, attempt: 1, next_retry_at: '2026-01-01T00:00:09.000Z' },
      ...own,
    });

  it('is the first advice of docs/reasons.md, with the id of the pool in its commands', () => {
    expect(shown(down('crash_loop'), 'to do')).toBe('Mend the cause; "pool-managerd start chat" tries at once and forgets the count.');
    expect(shown(down('gpu_missing'), 'to do')).toBe('Correct "devices"; UUIDs outlive a renumbering. It starts by itself when the card is back.');
    expect(shown(down('crash_loop'), 'retry')).toBe('2026-01-01T00:00:09.000Z');
  });

  it('says of a pool that has failed that it is not tried again by itself, and what tries it', () => {
    const failedPool = down('model_incompatible', { substate: 'failed' });
    expect(shown(failedPool, 'to do')).toBe('Take another file of the model, or a newer engine.');
    expect(shown(failedPool, 'retry')).toBe('not by itself; "pool-managerd start chat" tries again');
    expect(shown({ ...failedPool, origin: 'attached' }, 'retry')).toBe('2026-01-01T00:00:09.000Z');
  });

  it('is nothing where the daemon does it, where it was ordered so, and where the pool is ready', () => {
    for (const code of ['engine_exited', 'download_stalled', 'operator', 'drained'] as const) expect(shown(down(code), 'to do'), code).toBeNull();
    expect(shown(down('crash_loop', { state: 'ready', substate: 'healthy', ready: true }), 'to do')).toBeNull();
    expect(shown(poolStatus(), 'to do')).toBeNull();
  });

  it('is nothing for a reason of another version, also for one that is called as what every object has', () => {
    const unknown = (code: string) => ({ ...down('crash_loop'), reason: { code, message: 'm', retryable: true, next_retry_at: null } });
    expect(['struck_by_lightning', 'constructor'].map((code) => shown(unknown(code), 'to do'))).toEqual([null, null]);
  });

  it('is known of every reason in which a pool comes to rest until somebody acts', () => {
    const resting = reasonCodes.filter((code) => shown(down(code, { substate: 'failed' }), 'to do') === null);
    expect(resting).toEqual([
      'operator',
      'drained',
      'removed',
      'superseded',
      'health_failed',
      'wedged',
      'engine_exited',
      'cuda_error',
      'download_stalled',
      'download_failed',
    ]);
  });

  it.each(reasonCodes)('for %s stands alone: no link, and no other reason to look up', (code) => {
    const [first] = reasonTextOf(code).act;
    expect(first).not.toContain('](');
    expect([...first.matchAll(/`(\w+)`/g)].map(([, word = '']) => word).filter(isReasonCode)).toEqual([]);
  });
});

describe('the engine', () => {
  it('is told with its process, where there is one', () => {
    expect(shown(poolStatus({ pid: 4711 }), 'engine')).toBe('llamacpp b5000, pid 4711');
    expect(shown(poolStatus({ pid: null }), 'engine')).toBe('llamacpp b5000');
  });

  it('is told with what its last probe failed by, and when one passed', () => {
    const last_probe_at = new Date(Date.now() - 60_000).toISOString();
    const failing = poolStatus({ last_probe_at, probe_error: { code: 'health_failed', message: 'no answer' } });
    expect([shown(failing, 'probe failed'), shown(failing, 'probe passed')]).toEqual(['health_failed: no answer', '1m ago']);
    expect(shown(poolStatus(), 'probe failed')).toBeNull();
  });

  it('is told with the time at which a drain cuts off what is in it', () => {
    expect(shown(poolStatus({ drain_deadline_at: '2026-01-01T00:01:00.000Z' }), 'cut off')).toBe(
      'what is still in the engine at 2026-01-01T00:01:00.000Z',
    );
    expect(shown(poolStatus(), 'cut off')).toBeNull();
  });
});

it('says what not_as_declared is, and what tries again', () => {
  expect(shown(poolStatus({ degraded: ['not_as_declared'] }), 'declared')).toBe(
    'with something else than its engine has; "pool-managerd events pool-0" says why, "pool-managerd reload pool-0 --as-filed" tries again',
  );
  expect(shown(poolStatus(), 'declared')).toBeNull();
});

describe('what was ordered over the API', () => {
  const ordered = (spec: object, filed: object | null): string | null => {
    const lines = poolDetail(v.parse(poolSchema, poolStatus()), false, v.parse(specSchema, { spec, filed }));
    return lines.find((line) => line.startsWith('ordered:')) ?? null;
  };

  it('is what it differs in from the pools file', () => {
    expect(ordered({ slots: 4, ctx: 1 }, { slots: 2, ctx: 1 })).toMatch(/reload --as-filed: slots 4, in the file 2$/);
  });

  it('has no line where the two say the same, whatever the order of their keys', () => {
    const one = { id: 'chat', health: { canary: true, failures: 3 }, flags: null };
    expect(ordered(one, { health: { failures: 3, canary: true }, id: 'chat' })).toBeNull();
    expect(ordered(one, null)).toBeNull();
  });

  it('has one where they part late in something long, which is cut', () => {
    const flags = (last: string) => ({ flags: ['x'.repeat(200), last] });
    expect(ordered(flags('a'), flags('b'))).toMatch(/flags \["x{118}…, in the file \["x{118}…$/);
  });
});
