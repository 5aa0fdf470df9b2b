/** `pools`: one line per pool. */
import { poolsSchema } from '../answers.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';
import { poolTable } from '../show.ts';

export const pools = async (session: Session): Promise<void> => {
  const answer = await session.api.ask((client) => client.v2.pools.$get()).read(poolsSchema);
  if (session.json) return printJson(session, answer);
  for (const line of poolTable(answer.pools, session.colour)) session.print(line);
};
