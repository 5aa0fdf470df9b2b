/**
 * `reload ID [--model REF] [--slots N] [--ctx N]`: a new engine in place of the old one, which comes back when the new one does
 * not get ready. Where nothing changes that the engine has a part in, it goes on as it is.
 */
import { operationSchema } from '../answers.ts';
import { withId } from '../client.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';

export interface ReloadChanges {
  readonly model: string | null;
  readonly slots: number | null;
  readonly ctx: number | null;
}

export const reload = async (session: Session, id: string, { model, slots, ctx }: ReloadChanges): Promise<void> => {
  const json = { ...(model !== null && { new_model_ref: model }), ...(slots !== null && { slots }), ...(ctx !== null && { ctx }) };
  const answer = await session.api.ask((client) => client.v2.pools[':id'].reload.$post({ ...withId(id), json })).read(operationSchema);
  if (session.json) return printJson(session, answer);
  session.print(
    answer.operation_id === null
      ? `${id} goes on as it is: nothing changes that its engine has a part in`
      : `${id} is being reloaded (operation ${answer.operation_id}); "pool-managerd events ${id}" tells how it went`,
  );
};
