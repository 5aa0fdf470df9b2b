/** `register` and `heartbeat`: speak to orchestratord now, and print its answer. */
import * as v from 'valibot';
import { nodeSchema } from '../answers.ts';
import { withId } from '../client.ts';
import type { Session } from '../context.ts';

const answerSchema = v.record(v.string(), v.unknown());

export const register = async ({ api, print }: Session): Promise<void> =>
  print(JSON.stringify(await api.ask((client) => client.v2.nodes.register.$post({ json: {} })).read(answerSchema)));

export const heartbeat = async ({ api, print }: Session): Promise<void> => {
  const { node_id } = await api.ask((client) => client.v2.node.$get()).read(nodeSchema);
  print(JSON.stringify(await api.ask((client) => client.v2.nodes[':id'].heartbeat.$post({ ...withId(node_id), json: {} })).read(answerSchema)));
};
