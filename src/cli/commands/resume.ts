/** `resume ID`: takes a drain back while the engine is still there. */
import { commandSchema } from '../answers.ts';
import { withId } from '../client.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';

export const resume = async (session: Session, id: string): Promise<void> => {
  const answer = await session.api.ask((client) => client.v2.pools[':id'].resume.$post({ ...withId(id), json: {} })).read(commandSchema);
  if (session.json) return printJson(session, answer);
  session.print(`${id} serves again`);
};
