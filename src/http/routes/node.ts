/** The machine: its GPUs, the node itself, and the two conversations with orchestratord that can be had at once. */
import { Hono } from 'hono';
import { answer } from '../answers.ts';
import { optionalJsonBody } from '../body.ts';
import type { AppEnv } from '../env.ts';
import type { NodePort, OrchestratorAnswer } from '../ports.ts';
import { Problem, shown } from '../problems.ts';
import { ignoredBody } from '../schemas/requests.ts';

export const nodeRoutes = ({ node }: { readonly node: NodePort }) =>
  new Hono<AppEnv>()
    .get('/v2/gpus', (c) => {
      const gpus = node.gpus();
      return answer(c.env, { node_id: node.node().node_id, gpus, count: gpus.length });
    })
    .get('/v2/node', (c) => answer(c.env, node.node()))
    .post('/v2/nodes/register', optionalJsonBody(ignoredBody), async (c) => answer(c.env, bodyOf(await node.registerNow())))
    .post('/v2/nodes/:id/heartbeat', optionalJsonBody(ignoredBody), async (c) => {
      const { node_id } = node.node();
      const asked = c.req.param('id');
      if (asked !== node_id) throw new Problem('NODE_NOT_FOUND', `this is node ${node_id}, not ${shown(asked)}`);
      return answer(c.env, bodyOf(await node.heartbeatNow()));
    });

const bodyOf = (answered: OrchestratorAnswer): Readonly<Record<string, unknown>> => {
  if (answered.ok) return answered.body;
  throw new Problem('ORCHESTRATOR_UNREACHABLE', answered.message);
};
