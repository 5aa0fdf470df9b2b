/** Orders for one pool: desired state, accepted with 202 once it is kept; what comes of it is never waited for. */
import { Hono } from 'hono';
import { answer } from '../answers.ts';
import { optionalJsonBody } from '../body.ts';
import type { AppEnv } from '../env.ts';
import { poolIdOf } from '../pool-id.ts';
import type { NodePort, SpecChanges } from '../ports.ts';
import { Problem } from '../problems.ts';
import { accepted } from '../refusals.ts';
import { drainBody, emptyBody, reloadBody } from '../schemas/requests.ts';

export const commandRoutes = ({ node }: { readonly node: NodePort }) =>
  new Hono<AppEnv>()
    .post('/v2/pools/:id/preload', optionalJsonBody(emptyBody), async (c) => {
      const id = poolIdOf(c.req.param('id'));
      return answer(c.env, accepted(id, await node.preload(id)).status, 202);
    })
    .post('/v2/pools/:id/drain', optionalJsonBody(drainBody), async (c) => {
      const id = poolIdOf(c.req.param('id'));
      return answer(c.env, accepted(id, await node.drain(id, c.req.valid('json').deadline_ms ?? null)).status, 202);
    })
    .post('/v2/pools/:id/resume', optionalJsonBody(emptyBody), async (c) => {
      const id = poolIdOf(c.req.param('id'));
      return answer(c.env, accepted(id, await node.resume(id)).status, 202);
    })
    .post('/v2/pools/:id/reload', optionalJsonBody(reloadBody), async (c) => {
      const id = poolIdOf(c.req.param('id'));
      const { status, operationId } = accepted(id, await node.reload(id, changesOf(c.req.valid('json'))));
      return answer(c.env, { ...status, operation_id: operationId }, 202);
    });

const changesOf = ({ new_model_ref, as_filed, ...fields }: Readonly<Record<string, unknown>>): SpecChanges => {
  if (as_filed === true) {
    if (new_model_ref === undefined && Object.keys(fields).length === 0) return 'as_filed';
    throw new Problem(
      'INVALID_PARAMS',
      'expected as_filed alone, found other fields beside it: the pool has what the pools file says, or something else',
    );
  }
  if (new_model_ref === undefined) return fields;
  if ('model' in fields) throw new Problem('INVALID_PARAMS', 'expected model or new_model_ref, found both; they mean the same');
  return { ...fields, model: new_model_ref };
};
