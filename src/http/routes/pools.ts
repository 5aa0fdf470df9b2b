/** What pools are, and how they come and go. Answers with views; waits for nothing but a declaration to be on disk. */
import { Hono } from 'hono';
import type { PoolStatus } from '../../machines/views.ts';
import { answer, answerPrepared } from '../answers.ts';
import { jsonBody, optionalJsonBody } from '../body.ts';
import type { AppEnv } from '../env.ts';
import { invalidSpec } from '../invalid-params.ts';
import { poolIdOf, refuseWhileBooting, statusOfPool, unknownPool } from '../pool-id.ts';
import type { NodePort, ParsePoolSpec } from '../ports.ts';
import { type PoolList, writtenList, writtenStatus } from '../prepared.ts';
import { accepted } from '../refusals.ts';
import { declarationBody, ignoredBody } from '../schemas/requests.ts';

export interface PoolRoutesOptions {
  readonly node: NodePort;
  readonly parsePoolSpec: ParsePoolSpec;
}

export const poolRoutes = ({ node, parsePoolSpec }: PoolRoutesOptions) =>
  new Hono<AppEnv>()
    .get('/v2/pools', (c) => {
      refuseWhileBooting(node);
      return answerPrepared<PoolList>(c.env, writtenList(node.node().node_id, node.pools()));
    })
    .get('/v2/pools/:id/status', (c) => answerPrepared<PoolStatus>(c.env, writtenStatus(statusOfPool(node, c.req.param('id')))))
    .get('/v2/pools/:id/spec', (c) => {
      const { pool_id } = statusOfPool(node, c.req.param('id'));
      const declared = node.spec(pool_id);
      if (declared === null) throw unknownPool(pool_id);
      return answer(c.env, { pool_id, ...declared });
    })
    // The spellings of the older orchestratord client.
    .post('/v2/pools/:id/status', optionalJsonBody(ignoredBody), (c) =>
      answerPrepared<PoolStatus>(c.env, writtenStatus(statusOfPool(node, c.req.param('id')))),
    )
    .post('/pools/:id/status', optionalJsonBody(ignoredBody), (c) =>
      answerPrepared<PoolStatus>(c.env, writtenStatus(statusOfPool(node, c.req.param('id')))),
    )
    .post('/v2/pools', jsonBody(declarationBody), async (c) => {
      const parsed = parsePoolSpec(c.req.valid('json'));
      if (!parsed.ok) throw invalidSpec(parsed.mistakes);
      const { id } = parsed.spec;
      const { status } = accepted(id, await node.declare(parsed.spec), 'POOL_EXISTS');
      return answer(c.env, status, 201, { Location: `/v2/pools/${id}/status` });
    })
    .delete('/v2/pools/:id', async (c) => {
      const id = poolIdOf(c.req.param('id'));
      return answer(c.env, accepted(id, await node.remove(id)).status, 202);
    });
