/** An OTLP receiver over HTTP: keeps what it is sent, and has it decoded by OpenTelemetry's own schema (its Python package). */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as v from 'valibot';

const packages = '/opt/otel-proto';

/** Null: it can be decoded here. */
export const whyNoSchema = (): string | null =>
  existsSync(join(packages, 'opentelemetry/proto')) ? null : `needs opentelemetry-proto in ${packages} (pip install --target)`;

const attribute = v.object({ key: v.string(), value: v.object({ stringValue: v.optional(v.string()), intValue: v.optional(v.string()) }) });
const span = v.object({
  traceId: v.string(),
  spanId: v.string(),
  parentSpanId: v.optional(v.string(), ''),
  name: v.string(),
  kind: v.string(),
  startTimeUnixNano: v.string(),
  endTimeUnixNano: v.string(),
  attributes: v.optional(v.array(attribute), []),
  status: v.optional(v.object({ code: v.optional(v.string()), message: v.optional(v.string()) })),
});
const request = v.object({
  resourceSpans: v.array(
    v.object({ resource: v.object({ attributes: v.array(attribute) }), scopeSpans: v.array(v.object({ spans: v.array(span) })) }),
  ),
});

export type DecodedSpan = v.InferOutput<typeof span> & { readonly resource: Readonly<Record<string, string>> };

export const startOtlpReceiver = async () => {
  const bodies: Buffer[] = [];
  const types = new Set<string>();
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      bodies.push(Buffer.concat(chunks));
      types.add(`${incoming.method} ${incoming.url} ${incoming.headers['content-type']}`);
      outgoing.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    types,
    bodies,
    spans: (): readonly DecodedSpan[] => (bodies.length === 0 ? [] : decode(bodies)),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

const decode = (bodies: readonly Buffer[]): readonly DecodedSpan[] => {
  const { status, stdout, stderr } = spawnSync('python3', [join(import.meta.dirname, 'otlp-decode.py')], {
    input: bodies.map((body) => `${body.toString('base64')}\n`).join(''),
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], PYTHONPATH: packages },
  });
  if (status !== 0) throw new Error(`expected OTLP in protobuf, found something else: ${stderr}`);
  return stdout
    .trim()
    .split('\n')
    .flatMap((line) => v.parse(request, JSON.parse(line)).resourceSpans)
    .flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) => spans.map((one) => ({ ...one, resource: textsOf(resource.attributes) }))),
    );
};

export const textsOf = (attributes: v.InferOutput<typeof attribute>[]): Readonly<Record<string, string>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? '']));
