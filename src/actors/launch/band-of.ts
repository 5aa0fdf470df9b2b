/** Which ports an engine has: its own, and behind it those for its processes among themselves. Fixed ports come without. */
import { adapterFor } from '../../engines/index.ts';
import type { PoolSpec, RunRecord } from '../../machines/vocabulary.ts';
import type { Band } from './ports.ts';

export const sidePortsOf = ({ engine, ports }: Pick<PoolSpec, 'engine' | 'ports'>): number =>
  ports === null ? (adapterFor(engine).sidePorts ?? 0) : 0;

export const bandOf = ({ poolId, port, spec }: Pick<RunRecord, 'poolId' | 'port' | 'spec'>): Band => ({ poolId, port, sides: sidePortsOf(spec) });
