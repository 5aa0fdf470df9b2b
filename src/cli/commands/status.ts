/** `status [ID] [--watch]`: the node and its pools, or one pool in full. */
import { setTimeout as wait } from 'node:timers/promises';
import { nodeSchema, poolSchema, poolsSchema, specSchema } from '../answers.ts';
import { withId } from '../client.ts';
import type { Session } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { printJson } from '../remote.ts';
import { nodeSummary, poolDetail, poolTable } from '../show.ts';

const everyMs = 1_000;
const clearScreen = '\u001b[H\u001b[2J';

export const status = async (session: Session, id: string | undefined, watch: boolean): Promise<void> => {
  const look = id === undefined ? lookAtNode : (asked: Session) => lookAtPool(asked, id);
  if (!watch) return show(session, await look(session));
  while (!session.signal.aborted) {
    const seen = await look(session).catch(orGone);
    if (session.tty && !session.json) session.print(`${clearScreen}${new Date().toLocaleTimeString()}`);
    show(session, seen);
    await wait(everyMs, undefined, { signal: session.signal }).catch(() => undefined);
  }
};

interface Seen {
  readonly answer: unknown;
  readonly lines: readonly string[];
}

const show = (session: Session, { answer, lines }: Seen): void => {
  if (session.json) printJson(session, answer);
  else for (const line of lines) session.print(line);
};

const lookAtNode = async ({ api, colour }: Session): Promise<Seen> => {
  const [node, pools] = await Promise.all([
    api.ask((client) => client.v2.node.$get()).read(nodeSchema),
    api.ask((client) => client.v2.pools.$get()).read(poolsSchema),
  ]);
  return { answer: { node, pools: pools.pools }, lines: [...nodeSummary(node), '', ...poolTable(pools.pools, colour)] };
};

const lookAtPool = async ({ api, colour }: Session, id: string): Promise<Seen> => {
  const pool = await api.ask((client) => client.v2.pools[':id'].status.$get(withId(id))).read(poolSchema);
  const declared = pool.origin === 'file' ? await api.ask((client) => client.v2.pools[':id'].spec.$get(withId(id))).read(specSchema) : null;
  return { answer: pool, lines: poolDetail(pool, colour, declared) };
};

/** A daemon that restarts is watched on. */
const orGone = (thrown: unknown): Seen => {
  if (thrown instanceof CliError && thrown.exitCode === exitCodes.unreachable)
    return { answer: { unreachable: thrown.message }, lines: [thrown.message] };
  throw thrown;
};
