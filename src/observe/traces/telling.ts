/** An exporter whose failures are told: the first, and the first after it worked again. */
import type { SpanExporter } from '@opentelemetry/sdk-trace';

export const telling = (exporter: SpanExporter, tell: (why: string) => void): SpanExporter => {
  let failing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined && !failing) tell(result.error.message);
        failing = result.error !== undefined;
        done(result);
      }),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
};
