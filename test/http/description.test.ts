/** The OpenAPI document: complete, committed, valid, and true of real answers. */
import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { isPublic } from '../../src/http/app.ts';
import { describeRoutes } from '../../src/http/openapi/document.ts';
import type { LogLine, TransitionRecord } from '../../src/http/ports.ts';
import type { ProblemBody } from '../../src/http/problems.ts';
import type { logLineSchema, problemSchema, transitionSchema } from '../../src/http/schemas/records.ts';
import type { gpuSchema, nodeSchema, poolStatusSchema } from '../../src/http/schemas/views.ts';
import type { GpuView, NodeView, PoolStatus } from '../../src/machines/views.ts';
import { transition } from '../kit/fake-history.ts';
import { type HttpApi, startHttpApi } from '../kit/http-api.ts';
import { openapiText } from '../kit/openapi-text.ts';
import { poolStatus } from '../kit/views.ts';

interface Documented {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly object[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>>;
}

const isDocument = (value: unknown): value is Documented =>
  typeof value === 'object' && value !== null && 'openapi' in value && value.openapi === '3.1.0' && 'paths' in value && 'components' in value;
const documented = (value: unknown): Documented => {
  if (isDocument(value)) return value;
  throw new Error(`no OpenAPI 3.1 document: ${JSON.stringify(value).slice(0, 100)}`);
};

let api: HttpApi;
let document: Documented;
beforeAll(async () => {
  api = await startHttpApi({ parsePoolSpec: () => ({ ok: false, mistakes: [{ key: 'id', value: 1, expected: 'a string' }] }) });
  document = documented(await (await api.fetch('/openapi.json')).json());
});
afterAll(() => api.close());

const operationsOf = ({ paths }: Documented) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ key: `${method.toUpperCase()} ${path}`, path, method, operation })),
  );

describe('the document', () => {
  it('is committed as it is served', async () => {
    const committed = await readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8');
    expect(committed, 'docs/openapi.json is stale: npm run openapi').toBe(await openapiText());
    expect(JSON.parse(committed)).toEqual(document);
  });

  it('has every route, and only routes', () => {
    const routes = new Set(api.app.routes.routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`));
    expect(
      operationsOf(document)
        .map(({ key }) => key)
        .sort(),
    ).toEqual([...routes].sort());
  });

  it('calls each operation by a name of its own and says what it is for', () => {
    const operations = operationsOf(document).map(({ operation }) => operation);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    expect(operations.filter(({ summary }) => summary.length < 5)).toEqual([]);
  });

  it('asks for a token exactly where the gate does', () => {
    const open = operationsOf(document).filter(({ operation }) => operation.security.length === 0);
    expect(open.length).toBeGreaterThan(5);
    expect(operationsOf(document).filter(({ path }) => isPublic(path))).toEqual(open);
  });

  it('has one shape for all errors', () => {
    for (const { key, operation } of operationsOf(document)) {
      for (const [status, { content }] of Object.entries(operation.responses)) {
        const schema = content?.['application/json']?.schema;
        if (Number(status) >= 400 && !(key === 'GET /ready' && status === '503'))
          expect([key, status, schema]).toEqual([key, status, { $ref: '#/components/schemas/Problem' }]);
      }
    }
  });

  it('refers only to what it has', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? '');
    expect(references.length).toBeGreaterThan(20);
    expect(references.filter((name) => !(name in document.components.schemas))).toEqual([]);
  });

  it('cannot be made for a route without an operation, or the reverse', () => {
    const handler = () => undefined;
    expect(() => describeRoutes([{ method: 'GET', path: '/new', handler }], {})).toThrow('no operation GET /new');
    expect(() => describeRoutes([], { 'GET /gone': {} })).toThrow('no route GET /gone');
  });
});

describe('the page for people', () => {
  it('has every operation and every schema, and links only to what it has', async () => {
    const answer = await api.fetch('/docs');
    const html = await answer.text();
    for (const [path, methods] of Object.entries(document.paths))
      for (const method of Object.keys(methods)) expect(html).toContain(`<code>${method.toUpperCase()} ${path}</code>`);
    for (const [, anchor] of html.matchAll(/href="#([^"]+)"/g)) expect(html).toContain(`id="${anchor}"`);
    expect(html).not.toMatch(/<script|https?:\/\/(?!127\.0\.0\.1)/);
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
  });
});

describe('real answers', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const expectDescribed = async (method: string, template: string, path: string, init: RequestInit = {}): Promise<number> => {
    const response = await api.fetch(path, { method, ...init });
    const described = document.paths[template]?.[method.toLowerCase()]?.responses[String(response.status)];
    expect(described, `${method} ${template} answers ${response.status}`).toBeDefined();
    const type = response.headers.get('content-type') ?? '';
    const schema = Object.entries(described?.content ?? {}).find(([media]) => type.startsWith(media))?.[1].schema;
    expect(schema, `${method} ${template} ${response.status} as ${type}`).toBeDefined();
    const body: unknown = type.startsWith('application/json') ? await response.json() : await response.text();
    const validate = ajv.compile({ ...schema, components: document.components });
    expect(validate(body), `${template}: ${JSON.stringify(validate.errors)}`).toBe(true);
    return response.status;
  };
  const json = (body: object): RequestInit => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

  it.each([
    ['GET', '/health', '/health', {}, 200],
    ['GET', '/ready', '/ready', {}, 200],
    ['GET', '/metrics', '/metrics', {}, 200],
    ['GET', '/openapi.json', '/openapi.json', {}, 200],
    ['GET', '/docs', '/docs', {}, 200],
    ['GET', '/v2/pools', '/v2/pools', {}, 200],
    ['POST', '/v2/pools', '/v2/pools', json({ id: 1 }), 422],
    ['POST', '/v2/pools', '/v2/pools', json([]), 400],
    ['POST', '/v2/pools', '/v2/pools', { body: 'x' }, 415],
    ['GET', '/v2/pools/{id}/status', '/v2/pools/pool-0/status', {}, 200],
    ['GET', '/v2/pools/{id}/status', '/v2/pools/pool-9/status', {}, 404],
    ['POST', '/v2/pools/{id}/status', '/v2/pools/pool-0/status', json({}), 200],
    ['POST', '/pools/{id}/status', '/pools/pool-0/status', json({}), 200],
    ['DELETE', '/v2/pools/{id}', '/v2/pools/pool-0', {}, 202],
    ['POST', '/v2/pools/{id}/preload', '/v2/pools/pool-0/preload', {}, 202],
    ['POST', '/v2/pools/{id}/drain', '/v2/pools/pool-0/drain', json({ deadline_ms: 5 }), 202],
    ['POST', '/v2/pools/{id}/resume', '/v2/pools/pool-0/resume', {}, 202],
    ['POST', '/v2/pools/{id}/reload', '/v2/pools/pool-0/reload', json({}), 202],
    ['GET', '/v2/pools/{id}/events', '/v2/pools/pool-0/events', {}, 200],
    ['GET', '/v2/pools/{id}/logs', '/v2/pools/pool-0/logs', {}, 200],
    ['GET', '/v2/pools/{id}/logs', '/v2/pools/pool-0/logs?run=previous', {}, 404],
    ['GET', '/v2/pools/{id}/spec', '/v2/pools/pool-0/spec', {}, 200],
    ['GET', '/v2/pools/{id}/spec', '/v2/pools/pool-9/spec', {}, 404],
    ['GET', '/', '/', {}, 200],
    ['GET', '/statecharts', '/statecharts', {}, 200],
    ['GET', '/assets/{file}', '/assets/main.ts', {}, 200],
    ['GET', '/assets/{file}', '/assets/none.ts', {}, 404],
    ['GET', '/v2/gpus', '/v2/gpus', {}, 200],
    ['GET', '/v2/node', '/v2/node', {}, 200],
    ['POST', '/v2/nodes/register', '/v2/nodes/register', {}, 200],
    ['POST', '/v2/nodes/{id}/heartbeat', '/v2/nodes/gpu-node-1/heartbeat', {}, 200],
    ['POST', '/v2/nodes/{id}/heartbeat', '/v2/nodes/other/heartbeat', {}, 404],
  ])('of %s %s (%s) are as described', async (method, template, path, init, status) => {
    api.journal.feed.past.splice(0, Infinity, transition(1), transition(2, { reason: null, pool_id: 'pool-0', outcome: 'reloaded' }));
    api.logs.feed.past.splice(0, Infinity, { offset: 4, text: 'abc' });
    expect(await expectDescribed(method, template, path, init)).toBe(status);
  });

  it('of a node that is not ready, of a refused order and of a broken pool are as described', async () => {
    api.node.reasons = ['booting'];
    expect(await expectDescribed('GET', '/ready', '/ready')).toBe(503);
    api.node.reasons = [];
    api.node.refusal = { ok: false, problem: 'illegal', message: 'no', state: 'ready', accepts: [] };
    expect(await expectDescribed('POST', '/v2/pools/{id}/resume', '/v2/pools/pool-0/resume')).toBe(409);
    api.node.refusal = null;
    const at = '2026-01-01T00:00:00.000Z';
    api.node.statuses = [
      poolStatus({
        state: 'offline',
        reason: { code: 'cuda_oom', message: 'm', retryable: false, attempt: 3, next_retry_at: null },
        progress: { step: 'model', done_bytes: 1, total_bytes: null, bytes_per_second: null },
        last_error: { code: 'cuda_oom', message: 'm', at, exit: { code: 1, signal: null }, tail: ['out of memory'] },
        slots_total: null,
        gpu_device: null,
      }),
    ];
    expect(await expectDescribed('GET', '/v2/pools/{id}/status', '/v2/pools/pool-0/status')).toBe(200);
  });
});

describe('schemas', () => {
  type Writable<T> = T extends readonly (infer Item)[] ? Writable<Item>[] : T extends object ? { -readonly [Key in keyof T]: Writable<T[Key]> } : T;

  it('are the views, field by field', () => {
    expectTypeOf<v.InferOutput<typeof poolStatusSchema>>().toEqualTypeOf<Writable<PoolStatus>>();
    expectTypeOf<v.InferOutput<typeof gpuSchema>>().toEqualTypeOf<Writable<GpuView>>();
    expectTypeOf<v.InferOutput<typeof nodeSchema>>().toEqualTypeOf<Writable<NodeView>>();
    expectTypeOf<v.InferOutput<typeof transitionSchema>>().toEqualTypeOf<Writable<TransitionRecord>>();
    expectTypeOf<v.InferOutput<typeof logLineSchema>>().toEqualTypeOf<Writable<LogLine>>();
    expectTypeOf<v.InferOutput<typeof problemSchema>>().toEqualTypeOf<Writable<ProblemBody>>();
  });
});
