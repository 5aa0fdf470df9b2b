/** `resume ID [--wait]`: takes a drain back while the engine is still there; with `--wait` ends when it is ready. */
import { commandSchema } from '../answers.ts';
import { withId } from '../client.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';
import { readyGoal, waitForPool } from '../wait.ts';

export const resume = async (session: Session, id: string, waitMs: number | null): Promise<void> => {
  const answer = await session.api.ask((client) => client.v2.pools[':id'].resume.$post({ ...withId(id), json: {} })).read(commandSchema);
  const pool = waitMs === null ? null : await waitForPool(session, id, readyGoal, waitMs);
  if (session.json) return printJson(session, pool ?? answer);
  session.print(`${id} serves again`);
};
