/** What the node says to a command, as an answer: a view where it was taken, else the Problem that names why not. */
import { assertNever } from '../cause.ts';
import { mistaken } from './invalid-params.ts';
import { unknownPool } from './pool-id.ts';
import type { CommandResult } from './ports.ts';
import { Problem } from './problems.ts';

type Accepted = Extract<CommandResult, { readonly ok: true }>;

/** `illegal`: the code for a command that this state does not accept. */
export const accepted = (poolId: string, result: CommandResult, illegal: 'ILLEGAL_TRANSITION' | 'POOL_EXISTS' = 'ILLEGAL_TRANSITION'): Accepted => {
  if (result.ok) return result;
  switch (result.problem) {
    case 'unknown_pool':
      throw unknownPool(poolId);
    case 'illegal':
      throw new Problem(illegal, result.message, { details: { pool_id: poolId, state: result.state, accepts: result.accepts } });
    case 'unavailable':
      throw new Problem('POOL_UNAVAILABLE', result.message, {
        retryAfterMs: result.retryAfterMs,
        details: { pool_id: poolId, ...result.details, reason: result.code },
      });
    case 'too_many':
      throw new Problem('TOO_MANY_REQUESTS', result.message, { retryAfterMs: result.retryAfterMs });
    case 'invalid':
      throw mistaken(result.mistakes, 422);
    default:
      return assertNever(result);
  }
};
