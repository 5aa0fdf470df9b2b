/**
 * Traces to an OpenTelemetry collector: `OTEL_EXPORTER_OTLP_ENDPOINT`. Loaded only where that is set.
 *
 * Spans wait in a bounded queue and are sent in batches; what cannot be sent is dropped, and told once until it works again.
 */
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, type TextMapGetter, type Tracer, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import type { RequestTracer } from '../../http/ports.ts';
import type { Observer } from '../observe.ts';
import { sanitiseText } from '../sanitise.ts';
import { type Attributes, createPoolSpans, type OpenSpan } from './pool-spans.ts';
import { telling } from './telling.ts';

export interface TracesOptions {
  /** Base URL of the collector; `/v1/traces` is added. */
  readonly endpoint: string;
  readonly nodeId: string;
  readonly version: string;
  readonly onTrouble: (message: string) => void;
  /** For tests; default: OTLP over HTTP, in protobuf. */
  readonly exporter?: SpanExporter;
}

interface CallInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Traces {
  readonly observer: Observer;
  readonly requests: RequestTracer;
  /** The same calls, each a span, told to the other side as W3C trace context. */
  traced<Init extends CallInit>(fetch: (url: URL, init: Init) => Promise<Response>): (url: URL, init: Init) => Promise<Response>;
  /** Sends what is left, for `limits.closeMs` at most. */
  close(): Promise<void>;
}

const limits = { exportMs: 5_000, queue: 2_048, batch: 256, delayMs: 1_000, closeMs: 2_000 } as const;

const propagator = new W3CTraceContextPropagator();

export const openTraces = ({ endpoint, nodeId, version, onTrouble, exporter }: TracesOptions): Traces => {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const processor = new BatchSpanProcessor({
    exporter: telling(exporter ?? new OTLPTraceExporter({ url, timeoutMillis: limits.exportMs }), (why) =>
      onTrouble(`traces cannot be sent to ${url} and are dropped: ${why}`),
    ),
    maxQueueSize: limits.queue,
    maxExportBatchSize: limits.batch,
    scheduledDelayMillis: limits.delayMs,
    exportTimeoutMillis: limits.exportMs,
  });
  const resource = resourceFromAttributes({
    'service.name': 'pool-managerd',
    'service.version': version,
    'service.instance.id': nodeId,
    'host.name': nodeId,
  });
  const provider = new TracerProvider({ resource, spanProcessors: [processor] });
  const tracer = provider.getTracer('pool-managerd', version);
  return {
    observer: createPoolSpans((name, atMs, attributes) => openSpan(tracer, ROOT_CONTEXT, name, atMs, attributes)),
    requests: requestsOf(tracer),
    traced: (fetch) => async (target, init) => {
      const span = tracer.startSpan(
        `${init.method ?? 'GET'} ${routeOf(target.pathname)}`,
        {
          kind: SpanKind.CLIENT,
          attributes: { 'http.request.method': init.method ?? 'GET', 'server.address': target.hostname, 'url.path': target.pathname },
        },
        ROOT_CONTEXT,
      );
      const headers: Record<string, string> = { ...init.headers };
      propagator.inject(trace.setSpan(ROOT_CONTEXT, span), headers, { set: (carrier, key, value) => Object.assign(carrier, { [key]: value }) });
      try {
        const response = await fetch(target, { ...init, headers });
        endWith(span, response.status, 400);
        return response;
      } catch (thrown) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: sanitiseText(thrown instanceof Error ? thrown.message : String(thrown)) });
        span.end();
        throw thrown;
      }
    },
    close: () =>
      Promise.race([provider.shutdown(), new Promise<void>((resolve) => setTimeout(resolve, limits.closeMs).unref())]).catch(() => undefined),
  };
};

const openSpan = (tracer: Tracer, context: Context, name: string, atMs: number, attributes: Attributes): OpenSpan => {
  const span = tracer.startSpan(name, { startTime: atMs, attributes }, context);
  return {
    begin: (child, at, more) => openSpan(tracer, trace.setSpan(context, span), child, at, more),
    end: (at, more, error) => {
      span.setAttributes(more);
      if (error !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: sanitiseText(error) });
      span.end(at);
    },
  };
};

const requestsOf = (tracer: Tracer): RequestTracer => ({
  begin: ({ method, path, headers }) => {
    const parent = propagator.extract(ROOT_CONTEXT, headers, header);
    const attributes = { 'http.request.method': method, 'url.path': path, 'http.route': routeOf(path) };
    const span = tracer.startSpan(`${method} ${routeOf(path)}`, { kind: SpanKind.SERVER, attributes }, parent);
    return { traceId: span.spanContext().traceId, end: (status) => endWith(span, status, 500) };
  },
});

const header: TextMapGetter<Readonly<Record<string, string | string[] | undefined>>> = {
  keys: (carrier) => Object.keys(carrier),
  get: (carrier, key) => carrier[key],
};

const endWith = (span: Span, status: number, errorFrom: number): void => {
  span.setAttribute('http.response.status_code', status);
  if (status >= errorFrom) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
};

/** Names of spans are few: ids are left out of them. */
const routeOf = (path: string): string => path.replace(/\/(pools|nodes)\/(?!register$)[^/]+/, '/$1/{id}').slice(0, 80);
