/** Whether an engine failed for want of what the one beside it holds. Alone it may come up. Pure. */
import type { ReasonCode } from '../reasons.ts';

const forRoom: ReadonlySet<ReasonCode> = new Set(['insufficient_vram', 'cuda_oom', 'oom_killed', 'insufficient_host_memory', 'port_conflict']);

export const lacksRoom = (code: ReasonCode | null): boolean => code !== null && forRoom.has(code);
