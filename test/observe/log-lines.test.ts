import { describe, expect, it } from 'vitest';
import { createLogLines } from '../../src/observe/log-lines.ts';
import { createLogger, forPart } from '../../src/observe/logger.ts';
import { createInspector, type Observation } from '../../src/observe/observe.ts';
import { startSmallSystem } from '../kit/small-system.ts';
import { until } from '../kit/until.ts';

const capture = (level = 'info') => {
  const texts: string[] = [];
  const logger = createLogger({ level, nodeId: 'gpu-node-1', destination: { write: (text) => void texts.push(text) } });
  return { logger, texts, lines: (): Record<string, unknown>[] => texts.map((text) => JSON.parse(text)) };
};

const observed = (own: Partial<Observation>, context: object = {}): Observation => ({
  at: 0,
  mono: 0,
  actorId: 'pool-0#1',
  machine: 'pool',
  poolId: 'pool-0',
  incarnation: null,
  source: null,
  event: { type: 'some.event' },
  from: 'starting.spawning',
  to: 'starting.loading',
  changed: true,
  sample: false,
  snapshot: { value: '', context, status: 'active' },
  before: null,
  failed: false,
  ...own,
});
const lineFor = (own: Partial<Observation>, context: object = {}) => {
  const { logger, lines } = capture('debug');
  createLogLines(logger).observe(observed(own, context));
  return lines()[0];
};

describe('a log line', () => {
  it('is JSON with level, time, node, part and the pool in the words of the API', async () => {
    const { logger, lines } = capture();
    const system = startSmallSystem(createInspector([createLogLines(logger)]).inspect);
    const pool = system.add('pool-0');
    pool.send({ type: 'pool.start' });
    pool.send({ type: 'pool.start' });
    const ready = await until('the line of a ready pool', () => lines().find(({ msg }) => msg === 'pool ready'));
    expect(ready).toMatchObject({
      level: 'info',
      target: 'pool_managerd::pool',
      node_id: 'gpu-node-1',
      pool_id: 'pool-0',
      state: 'ready',
      substate: 'healthy',
      incarnation: 'inc-1',
      engine: 'llamacpp',
      restart_count: 0,
      actor: 'pool-0#1',
      event: 'xstate.done.actor.spawn',
    });
    expect(String(ready['time'])).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('has no secret, whether in a field, in the text or in an error', () => {
    const { logger, texts } = capture();
    const part = forPart(logger, 'http');
    part.info({ authorization: 'Bearer abcdef', nested: { api_token: 'abcdef', api_key_file: '/etc/key' }, argv: ['--api-key', 'abcdef'] }, 'asked');
    part.error({ err: new Error('sent Bearer abcdef to it') }, 'failed with Bearer abcdef');
    expect(texts.join('')).not.toContain('abcdef');
    expect(texts[0]).toContain('/etc/key');
    expect(texts[1]).toContain('failed with Bearer [redacted]');
  });

  it.each([
    ['ready.healthy', 'draining.emptying', { code: 'operator', message: 'stopped by an operator' }, 'info'],
    ['ready.healthy', 'draining.stopping', { code: 'engine_exited', message: 'code 1' }, 'warn'],
    ['draining.releasing', 'offline.backingOff', { code: 'engine_exited', message: 'code 1' }, 'warn'],
    ['draining.releasing', 'offline.backingOff', { code: 'crash_loop', message: '8 starts' }, 'error'],
    ['draining.releasing', 'offline.blocked', { code: 'insufficient_vram', message: 'too small' }, 'warn'],
    ['provisioning.engine.resolving', 'offline.failed', { code: 'model_missing', message: 'no such file' }, 'error'],
    ['draining.stopping', 'draining.stuck', { code: 'unkillable', message: 'pid 7' }, 'error'],
    ['draining.releasing', 'offline.stopped', { code: 'operator', message: 'stopped by an operator' }, 'info'],
    ['ready.healthy', 'ready.suspect', null, 'warn'],
  ])('from %s to %s is as loud as its reason', (from, to, reason, level) => {
    const line = lineFor({ from, to }, { reason });
    expect(line).toMatchObject({ level, from });
    if (reason !== null && to.startsWith('offline')) expect(line?.['msg']).toContain(reason.message);
  });

  it('leaves out what is not known', () => {
    const line = lineFor({}, { run: null, load: { slotsFree: null, slotsTotal: null }, gpus: null });
    for (const key of ['slots_free', 'engine_version', 'device_mask', 'reason', 'incarnation', 'backoff_ms']) expect(line).not.toHaveProperty(key);
  });

  it('says when the next try is', () => {
    const line = lineFor({ from: 'draining.releasing', to: 'offline.backingOff' }, { retry: { delayMs: 1500 }, gpus: [{ index: 0 }, { index: 1 }] });
    expect(line).toMatchObject({ backoff_ms: 1500, device_mask: '0,1' });
  });

  it('of a memory that cannot be kept is written when that begins, when its reason changes and when it ends, not at each try', () => {
    const same = { from: 'ready.healthy', to: 'ready.healthy', changed: false, event: { type: 'memory.failed' } } as const;
    const [full, broken] = [
      { memoryFailed: { code: 'disk_full', message: 'no room' } },
      { memoryFailed: { code: 'state_store_failed', message: 'EIO' } },
    ];
    const lineAfter = (before: object, context: object) => lineFor({ ...same, before: { value: '', context: before, status: 'active' } }, context);
    expect(lineAfter({ memoryFailed: null }, full)).toMatchObject({ level: 'error', reason: 'disk_full', msg: expect.stringContaining('no room') });
    expect(lineAfter(full, full)).toMatchObject({ level: 'debug' });
    expect(lineAfter(full, broken)).toMatchObject({ level: 'error', msg: expect.stringContaining('EIO') });
    expect(lineAfter(broken, { memoryFailed: null })).toMatchObject({ level: 'info', msg: expect.stringContaining('on disk again') });
  });

  it('of a machine that broke is an error that names the event', () => {
    expect(lineFor({ failed: true, event: { type: 'pool.drain' } })).toMatchObject({ level: 'error', msg: expect.stringContaining('pool.drain') });
  });

  it('of the node names rejected handoff files, hung GPUs and failed children', () => {
    const node = { machine: 'node', poolId: null, actorId: 'node', changed: false, from: 'a', to: 'a' } as const;
    expect(lineFor({ ...node, event: { type: 'handoff.rejected', file: '/run/x.json', message: 'no endpoint' } })).toMatchObject({
      level: 'warn',
      target: 'pool_managerd::node',
      file: '/run/x.json',
      msg: 'handoff file rejected: no endpoint',
    });
    expect(
      lineFor({ ...node, changed: true, event: { type: 'gpu.probeFailed', cause: { code: 'driver_error', message: 'nvidia-smi hangs' } } }),
    ).toMatchObject({ level: 'error', msg: expect.stringContaining('nvidia-smi hangs') });
    expect(lineFor({ ...node, event: { type: 'xstate.error.actor.pool-0#1', error: new Error('boom') } })).toMatchObject({
      level: 'error',
      msg: 'pool-0#1 failed',
      last_error: 'boom',
    });
  });

  it('of the registration is written when its standing changes, not at each heartbeat', () => {
    const registration = { machine: 'registration', poolId: null, actorId: 'registration' } as const;
    expect(lineFor({ ...registration, from: 'registering', to: 'registered.beating' })).toMatchObject({ level: 'info' });
    expect(lineFor({ ...registration, from: 'registered.beating', to: 'registered.quiet' })).toMatchObject({ level: 'debug' });
    expect(lineFor({ ...registration, from: 'registering', to: 'rejected' }, { lastError: '401' })).toMatchObject({
      level: 'error',
      msg: expect.stringContaining('401'),
    });
  });
});
