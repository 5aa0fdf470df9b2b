/**
 * What each route is for and what it answers, for the OpenAPI document: `METHOD /path` as Hono spells it → operation.
 *
 * Bodies and queries are not here: they come from the schemas that validate them. A route without an operation, or the
 * reverse, stops the start.
 */
import type { DescribeRouteOptions } from 'hono-openapi';
import { resolver } from 'hono-openapi';
import type * as v from 'valibot';
import { poolIdPattern } from '../pool-id.ts';
import { type ProblemCode, statusOf } from '../problems.ts';
import { eventsSchema, healthSchema, logsSchema, notReadySchema, orchestratorAnswerSchema, problemSchema, readySchema } from '../schemas/records.ts';
import { gpusSchema, nodeSchema, operationSchema, poolStatusSchema, poolsSchema, specSchema } from '../schemas/views.ts';

export type Operation = DescribeRouteOptions;
type Response = NonNullable<Operation['responses']>[string];

const json = (description: string, schema: v.GenericSchema): Response => ({
  description,
  content: { 'application/json': { schema: resolver(schema) } },
});
const text = (description: string, type: string): Response => ({ description, content: { [type]: { schema: { type: 'string' } } } });

/** Refusals by status; one status may stand for several codes. */
const refusals = (...codes: readonly ProblemCode[]): Record<string, Response> => {
  const byStatus = Object.groupBy(codes, (code) => String(statusOf(code)));
  return Object.fromEntries(Object.entries(byStatus).map(([status, same = []]) => [status, json(same.join(' or '), problemSchema)]));
};

const atTheGate = refusals('INVALID_PARAMS', 'UNAUTHORIZED', 'FORBIDDEN_ORIGIN', 'PAYLOAD_TOO_LARGE', 'MISDIRECTED', 'TOO_MANY_REQUESTS', 'INTERNAL');
const openGate = refusals('INVALID_PARAMS', 'FORBIDDEN_ORIGIN', 'PAYLOAD_TOO_LARGE', 'MISDIRECTED', 'INTERNAL');
const withBody = refusals('UNSUPPORTED_MEDIA_TYPE');
/** Before the daemon knows its pools, and at its end: no order is taken then and no stream opened. */
const notNow = refusals('POOL_UNAVAILABLE');
const invalidSpec = {
  '422': json('INVALID_PARAMS: well formed, and still no valid spec; details.mistakes has one line for each mistake', problemSchema),
};

const pathId = (what: string, pattern?: string): NonNullable<Operation['parameters']> => [
  { in: 'path', name: 'id', required: true, description: what, schema: { type: 'string', ...(pattern !== undefined && { pattern }) } },
];
const poolId = pathId('Pool id', poolIdPattern);
const lastEventId: NonNullable<Operation['parameters']> = [
  {
    in: 'header',
    name: 'Last-Event-ID',
    required: false,
    description: 'Id of the last event seen; the stream goes on after it',
    schema: { type: 'integer', minimum: 0 },
  },
];

const operation = (
  tag: string,
  operationId: string,
  summary: string,
  responses: Record<string, Response>,
  more: Partial<Operation> = {},
): Operation => ({
  tags: [tag],
  operationId,
  summary,
  security: [{ bearer: [] }],
  ...more,
  responses: { ...atTheGate, ...responses },
});

const open = (operationId: string, summary: string, responses: Record<string, Response>): Operation => ({
  tags: ['daemon'],
  operationId,
  summary,
  security: [],
  responses: { ...openGate, ...responses },
});

const page = (operationId: string, summary: string): Operation => open(operationId, summary, { '200': text('A page', 'text/html') });

const command = (operationId: string, summary: string, schema: v.GenericSchema, more: Record<string, Response> = {}): Operation =>
  operation(
    'pools',
    operationId,
    summary,
    {
      ...withBody,
      ...refusals('POOL_NOT_FOUND', 'ILLEGAL_TRANSITION'),
      ...notNow,
      '202': json('Taken: what is wanted has been noted', schema),
      ...more,
    },
    { parameters: poolId },
  );

const status = (operationId: string, summary: string, more: Record<string, Response> = {}): Operation =>
  operation(
    'pools',
    operationId,
    summary,
    { ...refusals('POOL_NOT_FOUND'), ...notNow, ...more, '200': json('The pool as it is now', poolStatusSchema) },
    { parameters: poolId },
  );

const oldClients = 'The same, for the older orchestratord client';

export const operations: Readonly<Record<string, Operation>> = {
  'GET /health': open('health', 'Whether the process is alive', { '200': json('It is', healthSchema) }),
  'GET /ready': open('ready', 'Whether the node serves', {
    '200': json('GPUs known, run records read, a pool ready or none configured', readySchema),
    '503': json('Not yet, or no longer, with reasons', notReadySchema),
  }),
  'GET /metrics': operation('daemon', 'metrics', 'Prometheus text; without a token on the metrics port', {
    '200': text('Prometheus text', 'text/plain'),
  }),
  'GET /openapi.json': open('openapi', 'This document', {
    '200': { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
  }),
  'GET /docs': page('docs', 'This document, to read'),
  'GET /': page('dashboard', 'The dashboard'),
  'GET /statecharts': page('statecharts', 'The dashboard, at the charts as they are drawn and lived'),
  'GET /assets/:file': {
    ...open('dashboardFile', 'A file of the dashboard', { ...refusals('NOT_FOUND'), '200': text('The file', 'text/javascript') }),
    parameters: [{ in: 'path', name: 'file', required: true, description: 'Name of the file', schema: { type: 'string' } }],
  },
  'GET /v2/pools': operation('pools', 'listPools', 'All pools, sorted by id', { ...notNow, '200': json('All pools', poolsSchema) }),
  'POST /v2/pools': operation('pools', 'declarePool', 'Declares a pool, as in the pools file; it survives restarts', {
    ...withBody,
    ...refusals('POOL_EXISTS'),
    ...notNow,
    ...invalidSpec,
    '201': json('Declared and on disk', poolStatusSchema),
  }),
  'DELETE /v2/pools/:id': operation(
    'pools',
    'removePool',
    'Drains a pool and removes it; one of the pools file is removed there',
    { ...refusals('POOL_NOT_FOUND', 'ILLEGAL_TRANSITION'), ...notNow, '202': json('It drains and goes', poolStatusSchema) },
    { parameters: poolId },
  ),
  'GET /v2/pools/:id/status': status('poolStatus', 'One pool'),
  'GET /v2/pools/:id/spec': operation(
    'pools',
    'poolSpec',
    'What a pool was declared as, secrets taken out, what the pools file says instead of it, and the VRAM its engine was promised',
    { ...refusals('POOL_NOT_FOUND'), ...notNow, '200': json('The spec with every default filled in', specSchema) },
    { parameters: poolId },
  ),
  'POST /v2/pools/:id/status': status('postPoolStatus', oldClients, withBody),
  'POST /pools/:id/status': status('postPoolStatusUnversioned', oldClients, withBody),
  'POST /v2/pools/:id/preload': command('preloadPool', 'Wanted up: start, or try again, with a fresh restart policy', poolStatusSchema),
  'POST /v2/pools/:id/drain': command('drainPool', 'Wanted down: finish the work, then end the engine', poolStatusSchema),
  'POST /v2/pools/:id/resume': command('resumePool', 'Takes a drain back while work is being finished', poolStatusSchema),
  'POST /v2/pools/:id/reload': command(
    'reloadPool',
    'A new engine in place of the old one, beside it first where there is room; the outcome, reloaded or rolled_back, is in the events of the pool. Without anything changed that the engine has a part in it goes on as it is, and operation_id is null. What is ordered for a pool of the pools file counts until its entry there changes, or until as_filed is ordered',
    operationSchema,
    invalidSpec,
  ),
  'GET /v2/pools/:id/events': operation(
    'history',
    'poolEvents',
    'Transitions of one pool, newest first',
    { ...refusals('POOL_NOT_FOUND'), ...notNow, '200': json('Transitions', eventsSchema) },
    { parameters: poolId },
  ),
  'GET /v2/pools/:id/logs': operation(
    'history',
    'poolLogs',
    'What the engine wrote; with follow=true a stream of it',
    {
      ...refusals('POOL_NOT_FOUND', 'NOT_FOUND'),
      ...notNow,
      '200': {
        description: 'Lines; as a stream events `line` whose ids are byte offsets, and `lagged` where the reader was too slow',
        content: { 'application/json': { schema: resolver(logsSchema) }, 'text/event-stream': { schema: { type: 'string' } } },
      },
    },
    { parameters: [...poolId, ...lastEventId] },
  ),
  'GET /v2/events': operation(
    'history',
    'followEvents',
    'A stream of every transition on the node',
    { ...notNow, '200': text('Events `transition`, ids are journal numbers, and `lagged` where the reader was too slow', 'text/event-stream') },
    { parameters: lastEventId },
  ),
  'GET /v2/live': operation(
    'node',
    'followViews',
    'A stream of the node, its GPUs and its pools: all of them first, then each as it changes',
    {
      ...notNow,
      '200': text(
        'Events `node`, `gpus`, `pool` (its status without last_probe_at, with the commands it accepts), `gone`; `reset`: forget what was told; `lagged` where the reader was too slow',
        'text/event-stream',
      ),
    },
    { parameters: lastEventId },
  ),
  'GET /v2/inspect': operation(
    'node',
    'followActors',
    "A stream of the actor system at work, under the names of XState's inspection events; secrets, samples and contexts left out",
    {
      ...notNow,
      '200': text(
        'Events `@xstate.actor`, `@xstate.event`, `@xstate.microstep`, `@xstate.snapshot`; `reset`: forget what was told; `lagged` where the reader was too slow',
        'text/event-stream',
      ),
    },
    { parameters: lastEventId },
  ),
  'GET /v2/gpus': operation('node', 'listGpus', 'GPUs with their health and what is promised to pools', { '200': json('GPUs', gpusSchema) }),
  'GET /v2/node': operation('node', 'node', 'The node: registration, host facts, versions', { '200': json('The node', nodeSchema) }),
  'POST /v2/nodes/register': operation('node', 'registerNode', 'Registers this node with orchestratord now', {
    ...withBody,
    ...refusals('ORCHESTRATOR_UNREACHABLE'),
    '200': json('What orchestratord answered', orchestratorAnswerSchema),
  }),
  'POST /v2/nodes/:id/heartbeat': operation(
    'node',
    'heartbeatNode',
    'Sends a heartbeat now',
    {
      ...withBody,
      ...refusals('NODE_NOT_FOUND', 'ORCHESTRATOR_UNREACHABLE'),
      '200': json('What orchestratord answered', orchestratorAnswerSchema),
    },
    { parameters: pathId('Id of this node') },
  ),
};
