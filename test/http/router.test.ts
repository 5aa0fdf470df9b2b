/** The two routers behind the API: which paths they tell apart, and what they refuse. */
import { expect, it } from 'vitest';
import { operations } from '../../src/http/openapi/operations.ts';
import { createRouter } from '../../src/http/router.ts';

const filled = () => {
  const router = createRouter<string>();
  for (const key of Object.keys(operations)) {
    const [method = '', path = ''] = key.split(' ');
    router.add(method, path, key);
  }
  return router;
};

it('finds every route of the API, and only that one', () => {
  const router = filled();
  for (const key of Object.keys(operations)) {
    const [method = '', path = ''] = key.split(' ');
    const [found] = router.match(method, path.replace(':id', 'pool-0'));
    expect(found.map(([handler]) => handler)).toEqual([key]);
  }
});

it('tells a fixed name from a parameter in its place', () => {
  const router = filled();
  const handlersAt = (path: string) => router.match('POST', path)[0].map(([handler]) => handler);
  expect(handlersAt('/v2/nodes/register')).toEqual(['POST /v2/nodes/register']);
  expect(handlersAt('/v2/nodes/register/heartbeat')).toEqual(['POST /v2/nodes/:id/heartbeat']);
  expect(handlersAt('/v2/nodes/x/register')).toEqual([]);
});

it('keeps several handlers of one route in their order, in either router', () => {
  const router = filled();
  for (const path of ['/v2/nodes/:id/heartbeat', '/v2/pools/:id/drain']) router.add('POST', path, 'second');
  expect(router.match('POST', '/v2/nodes/a/heartbeat')[0].map(([handler]) => handler)).toEqual(['POST /v2/nodes/:id/heartbeat', 'second']);
  expect(router.match('POST', '/v2/pools/a/drain')[0].map(([handler]) => handler)).toEqual(['POST /v2/pools/:id/drain', 'second']);
});

it('takes no middleware, which would run for some routes only', () => {
  expect(() => createRouter<string>().add('ALL', '*', 'middleware')).toThrow('belongs into the gate');
});
