/** `gpus`: one line per card, with what the ledger has promised of it. */
import { gpusSchema } from '../answers.ts';
import type { Session } from '../context.ts';
import { printJson } from '../remote.ts';
import { gpuTable } from '../show.ts';

export const gpus = async (session: Session): Promise<void> => {
  const answer = await session.api.ask((client) => client.v2.gpus.$get()).read(gpusSchema);
  if (session.json) return printJson(session, answer);
  for (const line of gpuTable(answer.gpus, session.colour)) session.print(line);
};
