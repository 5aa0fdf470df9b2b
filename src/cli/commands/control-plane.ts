/** `register` and `heartbeat`: speak to orchestratord now, and print its answer. */
import * as v from 'valibot';
import { nodeSchema } from '../answers.ts';
import type { Session } from '../context.ts';

const answerSchema = v.record(v.string(), v.unknown());

export const register = async ({ api, print }: Session): Promise<void> =>
  print(JSON.stringify(await api.send('POST', '/v2/nodes/register', {}, answerSchema)));

export const heartbeat = async ({ api, print }: Session): Promise<void> => {
  const { node_id } = await api.get('/v2/node', nodeSchema);
  print(JSON.stringify(await api.send('POST', `/v2/nodes/${encodeURIComponent(node_id)}/heartbeat`, {}, answerSchema)));
};
