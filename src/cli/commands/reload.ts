/** `reload ID [--model REF]`: takes up what changed, with a new engine in place of the old one, which comes back when the new one does not get ready. */
import * as v from 'valibot';
import { poolPath } from '../api.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';

const reloadSchema = v.looseObject({ operation_id: v.optional(v.nullable(v.string())) });

export const reload = async (session: Session, id: string, model: string | null): Promise<void> => {
  const answer = await session.api.send('POST', poolPath(id, '/reload'), model === null ? {} : { new_model_ref: model }, reloadSchema);
  if (session.json) return printJson(session, answer);
  const operation = answer.operation_id ? ` (operation ${answer.operation_id})` : '';
  session.print(`${id} is being reloaded${operation}; "pool-managerd events ${id}" tells how it went`);
};
