/** `logs ID [-f] [--tail N] [--previous]`: what the engine wrote; with `-f` also what it writes, over runs and restarts. */
import { logLineSchema, logsSchema } from '../answers.ts';
import { type Question, withId } from '../client.ts';
import type { Session } from '../context.ts';
import { dataOf } from '../event-data.ts';
import { printJson } from '../remote.ts';
import { follow } from '../sse.ts';
import { printable } from '../table.ts';

export interface LogsOptions {
  readonly follow: boolean;
  readonly tail: number;
  readonly previous: boolean;
}

export const logs = async (session: Session, id: string, options: LogsOptions): Promise<void> => {
  const print = (line: { readonly offset: number; readonly text: string }): void =>
    session.print(session.json ? JSON.stringify(line) : session.tty ? printable(line.text) : line.text);
  const tail = String(options.tail);
  if (!options.follow || options.previous) {
    const answer = await session.api
      .ask((client) => client.v2.pools[':id'].logs.$get({ ...withId(id), query: { tail, ...(options.previous && { run: 'previous' }) } }))
      .read(logsSchema);
    if (session.json && !options.follow) return printJson(session, answer);
    for (const line of answer.lines) print(line);
  }
  if (!options.follow) return;
  // One stream for what was and what comes, so that nothing is missed between the two.
  const question: Question = (client) => client.v2.pools[':id'].logs.$get({ ...withId(id), query: { follow: 'true', tail } });
  await follow(session.api, { question, lastEventId: null, signal: session.signal, note: session.note }, (event) => {
    const line = dataOf(event, logLineSchema);
    if (line !== null) print(line);
  });
};
