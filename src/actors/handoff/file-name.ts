/** Which names in the runtime directory are handoff files, and the name of our own. Pure. */
import { join } from 'node:path';

/** Engines of ours are one replica each. */
export const ownReplica = 'r0';

export const isHandoffName = (name: string): boolean => name.endsWith('.json') && !name.startsWith('.') && !name.endsWith('~');

export const handoffPath = (runtimeDir: string, poolId: string): string => join(runtimeDir, `${poolId}-${ownReplica}.json`);
