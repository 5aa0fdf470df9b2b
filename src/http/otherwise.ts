/** What is answered when no route answers: nothing here, another method, a Problem that was thrown, or a failure of ours. */
import type { Context } from 'hono';
import type { AppEnv } from './env.ts';
import type { HttpLogger } from './ports.ts';
import { answerProblem, internalProblem, methodNotAllowed, Problem, shown } from './problems.ts';

interface Router {
  readonly router: { match(method: string, path: string): readonly [readonly unknown[], ...unknown[]] };
}

export const nothingHere =
  ({ router }: Router) =>
  (c: Context<AppEnv>): never => {
    const { method, path } = c.req;
    const allowed = ['GET', 'POST', 'DELETE'].filter((each) => router.match(each, path)[0].length > 0);
    if (allowed.length > 0)
      throw methodNotAllowed(shown(method), shown(path), allowed.includes('GET') ? ['GET', 'HEAD', ...allowed.slice(1)] : allowed);
    throw new Problem('NOT_FOUND', `there is nothing at ${shown(path)}; GET /openapi.json lists what there is`);
  };

export const failed =
  (logger: HttpLogger | null) =>
  (thrown: unknown, c: Context<AppEnv>): Response => {
    if (thrown instanceof Problem) return answerProblem(c.env, thrown);
    const { correlationId } = c.env;
    logger?.error({ correlation_id: correlationId, method: c.req.method, path: shown(c.req.path), err: thrown }, 'request failed');
    return answerProblem(c.env, internalProblem(correlationId));
  };
