/** What is a trace: starts with their phases, drains, reloads, requests and calls. Spans are kept in memory by OpenTelemetry's own exporter. */
import { SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import type { Observation } from '../../src/observe/observe.ts';
import { openTraces } from '../../src/observe/traces/open.ts';
import { observationOf } from '../kit/observation.ts';

const setUp = () => {
  const exporter = new InMemorySpanExporter();
  let spans: readonly ReadableSpan[] = [];
  const shutdown = exporter.shutdown.bind(exporter);
  // Closing forgets; the test looks afterwards.
  exporter.shutdown = () => {
    spans = exporter.getFinishedSpans().slice();
    return shutdown();
  };
  const traces = openTraces({ endpoint: 'http://127.0.0.1:1', nodeId: 'gpu-node-1', version: '0.1.0', onTrouble: () => undefined, exporter });
  return {
    traces,
    finished: async () => {
      await traces.close();
      return spans;
    },
  };
};

let now = 1_700_000_000_000;
const seen = (from: string, to: string, own: Partial<Observation> & { readonly context?: object; readonly before?: object } = {}): Observation => {
  now += 100;
  const { context = {}, ...rest } = own;
  return observationOf(from, to, {
    at: now,
    mono: now,
    snapshot: { value: to, context: { spec: { engine: 'llamacpp', model: 'm' }, ...context }, status: 'active' },
    before: null,
    ...rest,
  });
};
const walk = (observe: (observation: Observation) => void, states: readonly string[], own: Parameters<typeof seen>[2] = {}) => {
  for (const [index, to] of states.slice(1).entries()) observe(seen(states[index] ?? '', to, own));
};
const up = [
  'uninitialized',
  'provisioning.(engine.resolving,model.resolving)',
  'starting.admitting.measuring',
  'starting.spawning',
  'starting.loading.waiting',
  'starting.proving.token',
  'ready.healthy',
];
const millis = ([seconds, nanos]: readonly [number, number]): number => seconds * 1000 + Math.round(nanos / 1e6);
const lasted = ({ startTime, endTime }: ReadableSpan): number => millis(endTime) - millis(startTime);
const named = (spans: readonly ReadableSpan[], name: string): ReadableSpan => {
  const found = spans.find((span) => span.name === name);
  if (found === undefined) throw new Error(`expected a span ${name}, found ${spans.map((span) => span.name).join()}`);
  return found;
};

describe('A start', () => {
  it('is one trace with a span for each phase, in their times', async () => {
    const { traces, finished } = setUp();
    walk(traces.observer.observe, up);
    const spans = await finished();
    expect(spans.map(({ name }) => name)).toEqual(['provision', 'admit', 'spawn', 'load', 'prove', 'pool.start']);
    const start = named(spans, 'pool.start');
    expect(lasted(start)).toBe(500);
    expect(start.attributes).toMatchObject({ 'pool.id': 'pool-0', 'pool.engine': 'llamacpp', 'pool.model': 'm' });
    expect(start.status.code).toBe(SpanStatusCode.UNSET);
    for (const span of spans.slice(0, -1)) {
      expect(lasted(span), span.name).toBe(100);
      expect(span.parentSpanContext?.spanId).toBe(start.spanContext().spanId);
      expect(span.spanContext().traceId).toBe(start.spanContext().traceId);
    }
    expect(start.resource.attributes).toMatchObject({
      'service.name': 'pool-managerd',
      'service.version': '0.1.0',
      'service.instance.id': 'gpu-node-1',
    });
  });

  it('that fails ends in error with its reason, and the next is a trace of its own', async () => {
    const { traces, finished } = setUp();
    const context = { reason: { code: 'engine_exited', message: 'it ended with 1, Bearer abc' } };
    walk(traces.observer.observe, up.slice(0, 5));
    traces.observer.observe(seen('starting.loading.waiting', 'offline.backingOff', { context }));
    walk(traces.observer.observe, ['offline.backingOff', ...up.slice(1)]);
    const spans = await finished();
    const [failed, next] = spans.filter(({ name }) => name === 'pool.start');
    expect(failed).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: 'it ended with 1, Bearer [redacted]' },
      attributes: { 'pool.reason': 'engine_exited' },
    });
    expect(spans.find(({ name }) => name === 'load')?.status.code).toBe(SpanStatusCode.ERROR);
    expect(next?.status.code).toBe(SpanStatusCode.UNSET);
    expect(next?.spanContext().traceId).not.toBe(failed?.spanContext().traceId);
  });

  it('is none of an engine that was adopted', async () => {
    const { traces, finished } = setUp();
    walk(traces.observer.observe, ['uninitialized', 'starting.adopting.identifying', 'starting.proving.health', 'ready.healthy']);
    expect(await finished()).toEqual([]);
  });
});

describe('Ends and changes', () => {
  it('a drain is a trace, from leaving service to having no engine', async () => {
    const { traces, finished } = setUp();
    walk(traces.observer.observe, ['ready.healthy', 'draining.emptying', 'draining.stopping', 'draining.releasing', 'offline.stopped'], {
      context: { reason: { code: 'drained', message: 'drained' } },
    });
    const spans = await finished();
    expect(spans.map(({ name }) => name)).toEqual(['pool.drain']);
    expect(lasted(named(spans, 'pool.drain'))).toBe(300);
    expect(named(spans, 'pool.drain').attributes).toMatchObject({ 'pool.state': 'offline.stopped', 'pool.reason': 'drained' });
  });

  it('a reload is a trace with its outcome, over both engines of the pool', async () => {
    const { traces, finished } = setUp();
    const reload = { operationId: 'op-1', gaveUp: null };
    const rising = { actorId: 'pool-0--b#2' };
    traces.observer.observe(seen('', 'uninitialized', { ...rising, context: { reload } }));
    walk(traces.observer.observe, up.slice(0, -1), { ...rising, context: { reload } });
    traces.observer.observe({
      ...seen(up.at(-2) ?? '', 'ready.healthy', { ...rising, context: { reload: null } }),
      before: { value: '', context: { reload }, status: 'active' },
    });
    const spans = await finished();
    expect(named(spans, 'pool.reload').attributes).toMatchObject({ 'pool.outcome': 'reloaded', 'pool.operation_id': 'op-1' });
    expect(named(spans, 'pool.start').spanContext().traceId).not.toBe(named(spans, 'pool.reload').spanContext().traceId);
  });

  it('what a chart that broke or went away had begun is ended', async () => {
    const { traces, finished } = setUp();
    walk(traces.observer.observe, up.slice(0, 3));
    traces.observer.observe(seen('starting.admitting.measuring', 'starting.admitting.measuring', { failed: true }));
    expect(named(await finished(), 'pool.start').status).toMatchObject({ code: SpanStatusCode.ERROR, message: 'its chart broke' });
  });
});

describe('Requests and calls', () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  it('are spans named without ids, within the trace of who asked', async () => {
    const { traces, finished } = setUp();
    const span = traces.requests.begin({ method: 'POST', path: '/v2/pools/chat/drain', headers: { traceparent } });
    expect(span.traceId).toBe('0af7651916cd43dd8448eb211c80319c');
    span.end(202);
    traces.requests.begin({ method: 'GET', path: '/v2/pools', headers: { traceparent: 'nonsense' } }).end(500);
    const [first, second] = await finished();
    expect(first).toMatchObject({
      name: 'POST /v2/pools/{id}/drain',
      attributes: { 'url.path': '/v2/pools/chat/drain', 'http.response.status_code': 202 },
    });
    expect(first?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(second).toMatchObject({ status: { code: SpanStatusCode.ERROR } });
    expect(second?.parentSpanContext).toBeUndefined();
  });

  it('tell the other side which trace they belong to', async () => {
    const { traces, finished } = setUp();
    const sent: (Readonly<Record<string, string>> | undefined)[] = [];
    const traced = traces.traced(async (_url: URL, init: { readonly method: string; readonly headers?: Readonly<Record<string, string>> }) => {
      sent.push(init.headers);
      if (sent.length === 2) throw new TypeError('fetch failed');
      return new Response(null, { status: 204 });
    });
    await traced(new URL('http://o:8080/v2/nodes/gpu-1/heartbeat'), { method: 'POST', headers: { accept: 'x' } });
    await expect(traced(new URL('http://o:8080/v2/nodes/register'), { method: 'POST' })).rejects.toThrow('fetch failed');
    const [beat, register] = await finished();
    expect(beat?.name).toBe('POST /v2/nodes/{id}/heartbeat');
    expect(sent[0]).toEqual({ accept: 'x', traceparent: `00-${beat?.spanContext().traceId}-${beat?.spanContext().spanId}-01` });
    expect(register).toMatchObject({ name: 'POST /v2/nodes/register', status: { code: SpanStatusCode.ERROR, message: 'fetch failed' } });
  });
});
