/** Whether an engine failed for want of what the one beside it holds. Alone it may come up. Pure. */
import type { ReasonCode } from '../reasons.ts';
import type { Cause } from '../vocabulary.ts';

const forRoom: ReadonlySet<ReasonCode> = new Set(['insufficient_vram', 'cuda_oom', 'oom_killed', 'insufficient_host_memory', 'port_conflict']);

/** What is too large for the whole card would not come up alone either. */
export const lacksRoom = (cause: Cause | null): boolean => cause !== null && forRoom.has(cause.code) && cause.details?.['never_fits'] !== true;
