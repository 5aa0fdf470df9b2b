/** Traces of a real daemon, as a collector gets them: protobuf, decoded by OpenTelemetry's own schema. */
import { describe, expect, it } from 'vitest';
import { startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { startOtlpReceiver, textsOf, whyNoSchema } from '../kit/otlp-receiver.ts';

const whyNot = whyNoSchema();
if (whyNot !== null) console.log(`not run: traces: ${whyNot}`);

describe('traces', patient, () => {
  it.skipIf(whyNot !== null)('of a start, a drain, a reload, requests and calls arrive as OTLP (needs opentelemetry-proto)', async (t) => {
    const receiver = await startOtlpReceiver();
    const orchestrator = await startOrchestratorStandIn();
    t.onTestFinished(async () => {
      receiver.close();
      await orchestrator.close();
    });
    const house = await daemonHouse(t, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ORCHESTRATORD_URL: orchestrator.url });
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await fetch(`${daemon.url}/v2/pools/pool-0/reload`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
      body: '{"slots":3}',
    });
    await daemon.sees('pool-0', 'reloaded', ({ ready, slots_total }) => ready && slots_total === 3);
    await daemon.ask('POST', '/v2/pools/pool-0/drain');
    await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    await asking('the access line', () => daemon.log().find((line) => line['trace_id'] === traceId));
    expect((await daemon.end()).code).toBe(0);

    expect([...receiver.types]).toEqual(['POST /v1/traces application/x-protobuf']);
    const spans = receiver.spans();
    const of = (name: string) => spans.filter((span) => span.name === name);
    for (const { resource, startTimeUnixNano, endTimeUnixNano } of spans) {
      expect(resource).toMatchObject({ 'service.name': 'pool-managerd', 'service.instance.id': 'node-0' });
      expect(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano)).toBe(true);
    }
    // The first start, and the one of the engine that took its place.
    const starts = of('pool.start');
    expect(starts).toHaveLength(2);
    for (const start of starts)
      expect(spans.filter(({ parentSpanId }) => parentSpanId === start.spanId).map(({ name }) => name)).toEqual([
        'provision',
        'admit',
        'spawn',
        'load',
        'prove',
      ]);
    expect(of('pool.reload').map(({ attributes }) => textsOf(attributes)['pool.outcome'])).toEqual(['reloaded']);
    expect(of('pool.drain').length).toBeGreaterThanOrEqual(1);
    const [asked] = of('POST /v2/pools/{id}/reload');
    expect(asked).toMatchObject({ kind: 'SPAN_KIND_SERVER', traceId: Buffer.from(traceId, 'hex').toString('base64') });
    expect(of('POST /v2/nodes/register')[0]).toMatchObject({ kind: 'SPAN_KIND_CLIENT' });
    expect(of('POST /v2/nodes/{id}/heartbeat').length).toBeGreaterThan(0);
  });
});
