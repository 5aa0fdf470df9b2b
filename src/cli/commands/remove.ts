/** `remove ID [--wait]`: drains a pool that was declared over the API and forgets it. */
import { commandSchema } from '../answers.ts';
import { withId } from '../client.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';
import { waitForEnd } from '../wait.ts';

export const remove = async (session: Session, id: string, waitMs: number | null): Promise<void> => {
  const answer = await session.api.ask((client) => client.v2.pools[':id'].$delete(withId(id))).read(commandSchema);
  if (waitMs !== null) await waitForEnd(session, id, waitMs);
  if (session.json) return printJson(session, answer);
  session.print(waitMs === null ? `${id} drains and is then gone` : `${id} is gone`);
};
