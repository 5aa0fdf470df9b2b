/** For which architectures a build for these cards is made: `90` for compute capability 9.0, each once. Pure. */
import type { Cause, Inventory } from '../machines/vocabulary.ts';

/** Empty: not known. */
export const architecturesOf = (seen: Inventory | Cause): readonly string[] =>
  'gpus' in seen ? [...new Set(seen.gpus.flatMap(({ computeCapability }) => computeCapability?.replace('.', '') ?? []))].sort() : [];
