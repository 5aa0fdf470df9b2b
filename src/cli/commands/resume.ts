/** `resume ID`: takes a drain back while the engine is still there. */
import { commandSchema } from '../answers.ts';
import { poolPath } from '../api.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';

export const resume = async (session: Session, id: string): Promise<void> => {
  const answer = await session.api.send('POST', poolPath(id, '/resume'), {}, commandSchema);
  if (session.json) return printJson(session, answer);
  session.print(`${id} serves again`);
};
