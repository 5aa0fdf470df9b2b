/** `remove ID`: drains a pool that was declared over the API and forgets it. */
import { commandSchema } from '../answers.ts';
import { poolPath } from '../api.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';

export const remove = async (session: Session, id: string): Promise<void> => {
  const answer = await session.api.send('DELETE', poolPath(id), null, commandSchema);
  if (session.json) return printJson(session, answer);
  session.print(`${id} drains and is then gone`);
};
