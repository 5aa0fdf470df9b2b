/** `drain ID [--deadline] [--wait]`: wants the pool down; its engine ends when its work is done, at the latest at the deadline. */
import { commandSchema } from '../answers.ts';
import { withId } from '../client.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';
import { drainedGoal, waitForPool } from '../wait.ts';

export const drain = async (session: Session, id: string, deadlineMs: number | null, waitMs: number | null): Promise<void> => {
  const json = deadlineMs === null ? {} : { deadline_ms: deadlineMs };
  const answer = await session.api.ask((client) => client.v2.pools[':id'].drain.$post({ ...withId(id), json })).read(commandSchema);
  const pool = waitMs === null ? null : await waitForPool(session, id, drainedGoal, waitMs);
  if (session.json) return printJson(session, pool ?? answer);
  session.print(pool === null ? `${id} drains` : `${id} is stopped`);
};
