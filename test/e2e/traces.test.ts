/** A collector that is not there: told once, and nothing waits for it. */
import { describe, expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { startOtlpReceiver } from '../kit/otlp-receiver.ts';

describe.concurrent('traces', patient, () => {
  it('that cannot be sent are dropped, told once, and hold up neither pools nor the end', async (t) => {
    const house = await daemonHouse(t, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const told = () => daemon.log().filter(({ msg }) => msg.startsWith('traces cannot be sent to http://127.0.0.1:1/v1/traces and are dropped'));
    await asking('it to be told', () => told().length > 0);
    const { code, ms: _, stderr } = await daemon.end();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(told()).toHaveLength(1);
  });

  it('are sent to the collector that is named, without a word of the token', async (t) => {
    const receiver = await startOtlpReceiver();
    t.onTestFinished(() => receiver.close());
    const token = 'canary-token-0123456789';
    const house = await daemonHouse(t, { OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/`, LLORCH_API_TOKEN: token });
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    await daemon.ask('GET', `/v2/pools/${token}/status?token=${token}`);
    await daemon.end();
    expect([...receiver.types]).toEqual(['POST /v1/traces application/x-protobuf']);
    const sent = Buffer.concat(receiver.bodies).toString('latin1');
    expect(sent).toContain('pool.start');
    expect(sent).not.toContain(token);
  });
});
