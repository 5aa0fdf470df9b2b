/** Whether an engine failed for want of what the one beside it holds. Alone it may come up. Pure. */
import type { ReasonCode } from '../reasons.ts';
import type { Cause } from '../vocabulary.ts';

const forRoom: ReadonlySet<ReasonCode> = new Set(['insufficient_vram', 'cuda_oom', 'oom_killed', 'insufficient_host_memory']);

/** What is too large for the whole card would not come up alone either, nor on ports that somebody else has. */
export const lacksRoom = (cause: Cause | null): boolean => {
  if (cause === null) return false;
  if (cause.code === 'port_conflict') return cause.details?.['held_beside'] === true;
  return forRoom.has(cause.code) && cause.details?.['never_fits'] !== true;
};
