/** `start ID [--wait]`: wants the pool up; with `--wait` ends when it is ready. */
import { commandSchema } from '../answers.ts';
import { poolPath } from '../api.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';
import { readyGoal, waitForPool } from '../wait.ts';

export const start = async (session: Session, id: string, waitMs: number | null): Promise<void> => {
  const answer = await session.api.send('POST', poolPath(id, '/preload'), {}, commandSchema);
  const pool = waitMs === null ? null : await waitForPool(session, id, readyGoal, waitMs);
  if (session.json) return printJson(session, pool ?? answer);
  session.print(pool === null ? `${id} is wanted up` : `${id} is ready at ${pool.endpoint ?? 'an unknown address'}`);
};
