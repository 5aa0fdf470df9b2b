/** `declare FILE`: declares a pool over the API: one pool as in the pools file, in JSON; `-` is standard input. It survives restarts. */

import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import * as v from 'valibot';
import { poolSchema } from '../answers.ts';
import type { Session } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { printJson } from '../remote.ts';

const onePool = v.pipe(v.string(), v.parseJson(), v.looseObject({ id: v.unknown() }));

export const declare = async (session: Session, file: string): Promise<void> => {
  const parsed = v.safeParse(onePool, await read(file));
  if (!parsed.success) {
    throw new CliError(
      `${file}: expected one pool as a JSON object, as in {"id":"chat","engine":"llamacpp",…}, found something else`,
      exitCodes.configuration,
    );
  }
  const pool = await session.api.ask((client) => client.v2.pools.$post({ json: parsed.output })).read(poolSchema);
  if (session.json) return printJson(session, pool);
  session.print(`${pool.pool_id} is declared; "pool-managerd status ${pool.pool_id}" tells how it is`);
};

const read = async (file: string): Promise<string> => {
  try {
    return await text(file === '-' ? process.stdin : createReadStream(file));
  } catch (thrown) {
    throw new CliError(`${file}: cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`, exitCodes.usage);
  }
};
