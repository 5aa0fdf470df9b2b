/** The API as the command line sees it: typed by the routes themselves, so that what the one changes does not compile in the other. */
import * as v from 'valibot';
import { expect, expectTypeOf, it, onTestFinished } from 'vitest';
import { eventsSchema, gpusSchema, logsSchema, nodeSchema, operationSchema, poolSchema, poolsSchema } from '../../src/cli/answers.ts';
import { type Api, createApi } from '../../src/cli/api.ts';
import { withId } from '../../src/cli/client.ts';
import { type HttpApi, startHttpApi } from '../kit/http-api.ts';

const token = 'a-token-of-some-length';

const start = async (): Promise<{ readonly served: HttpApi; readonly api: Api }> => {
  const served = await startHttpApi({ token: () => token });
  onTestFinished(() => served.close());
  return { served, api: createApi({ url: served.url, token, fetch }) };
};

it('asks what the routes take, and reads what they answer', async () => {
  const { served, api } = await start();
  const { pools } = await api.ask((client) => client.v2.pools.$get()).read(poolsSchema);
  expectTypeOf(pools[0]?.pool_id).toEqualTypeOf<string | undefined>();
  expect(pools).toHaveLength(1);
  const drained = await api.ask((client) => client.v2.pools[':id'].drain.$post({ ...withId('pool-0'), json: { deadline_ms: 5 } })).read(poolSchema);
  expect(drained.pool_id).toBe('pool-0');
  const change = { new_model_ref: 'b' };
  const reloaded = await api.ask((client) => client.v2.pools[':id'].reload.$post({ ...withId('pool-0'), json: change })).read(operationSchema);
  expect(reloaded.operation_id).toBe('operation-1');
  const query = { limit: '5' };
  expect((await api.ask((client) => client.v2.pools[':id'].events.$get({ ...withId('pool-0'), query })).read(eventsSchema)).events).toEqual([]);
  await api.ask((client) => client.v2.gpus.$get()).read(gpusSchema);
  await api.ask((client) => client.v2.node.$get()).read(nodeSchema);
  expect(served.node.asked).toEqual([
    ['drain', 'pool-0', 5],
    ['reload', 'pool-0', { model: 'b' }],
  ]);
});

it('keeps an id in its place, whatever is in it', async () => {
  const { api } = await start();
  const ask = (id: string) => api.ask((client) => client.v2.pools[':id'].status.$get(withId(id))).read(poolSchema);
  await expect(ask('../node')).rejects.toThrow('INVALID_PARAMS');
  await expect(ask('nobody')).rejects.toThrow('known pools: pool-0');
  await expect(ask('a?b#c')).rejects.toThrow('INVALID_PARAMS');
});

it('does not compile where the API is another one', () => {
  const notRun = async ({ ask }: Api): Promise<void> => {
    // @ts-expect-error there is no such route
    await ask((client) => client.v2.pools[':id'].stop.$post(withId('a'))).read(v.looseObject({}));
    // @ts-expect-error it does not take this
    await ask((client) => client.v2.pools[':id'].drain.$post({ ...withId('a'), json: { deadline_ms: 'soon' } })).read(poolSchema);
    // @ts-expect-error nor such a query
    await ask((client) => client.v2.pools[':id'].logs.$get({ ...withId('a'), query: { run: 'last' } })).read(logsSchema);
    // @ts-expect-error another route answers this
    await ask((client) => client.v2.gpus.$get()).read(poolsSchema);
    // @ts-expect-error it answers a number or null
    await ask((client) => client.v2.pools[':id'].status.$get(withId('a'))).read(v.looseObject({ slots_total: v.number() }));
    // @ts-expect-error it answers no such thing
    await ask((client) => client.v2.node.$get()).read(v.looseObject({ node_name: v.string() }));
    // @ts-expect-error it is a stream
    await ask((client) => client.v2.events.$get()).read(eventsSchema);
  };
  expect(notRun).toBeTypeOf('function');
});
