/**
 * `reload ID [--model REF] [--slots N] [--ctx N | --as-filed] [--wait]`: a new engine in place of the old one, which comes back when the new one does
 * not get ready. Where nothing changes that the engine has a part in, it goes on as it is.
 */
import type * as v from 'valibot';
import { operationSchema, type Pool } from '../answers.ts';
import { withId } from '../client.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';
import { lastSeq, waitForReload } from '../wait.ts';

export interface ReloadChanges {
  /** What the pools file says, in place of what was ordered. */
  readonly asFiled: boolean;
  readonly model: string | null;
  readonly slots: number | null;
  readonly ctx: number | null;
}

export const reload = async (session: Session, id: string, changes: ReloadChanges, waitMs: number | null): Promise<void> => {
  const { model, slots, ctx, asFiled } = changes;
  const json = {
    ...(asFiled && { as_filed: true }),
    ...(model !== null && { new_model_ref: model }),
    ...(slots !== null && { slots }),
    ...(ctx !== null && { ctx }),
  };
  const before = waitMs === null ? 0 : await lastSeq(session, id);
  const answer = await session.api.ask((client) => client.v2.pools[':id'].reload.$post({ ...withId(id), json })).read(operationSchema);
  const pool = waitMs === null || answer.operation_id === null ? null : await waitForReload(session, id, before, waitMs);
  if (session.json) return printJson(session, pool ?? answer);
  session.print(told(id, answer, pool, asFiled));
};

type Answer = v.InferOutput<typeof operationSchema>;

const told = (id: string, { operation_id, origin }: Answer, pool: Pool | null, asFiled: boolean): string => {
  if (operation_id === null) return `${id} goes on as it is: nothing changes that its engine has a part in`;
  const done = pool === null ? `is being reloaded (operation ${operation_id}); "pool-managerd events ${id}" tells how it went` : 'has its new engine';
  // Two places that say different things: a person should know which of them counts, and until when.
  const holds = "until the pool's own entry in the pools file changes";
  if (asFiled) return `${id} ${done}; the pools file counts again`;
  return origin === 'file' ? `${id} ${done}; ${pool === null ? 'once the new engine serves, that' : 'this'} holds ${holds}` : `${id} ${done}`;
};
