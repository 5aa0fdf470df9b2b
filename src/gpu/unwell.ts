/** Whether a card waits for something that nobody may hold it open for: a reset, for one. Pure. */
import type { GpuFact } from '../machines/vocabulary.ts';
import { readRecoveryAction } from './recovery-action.ts';

export const isUnwell = ({ reads, recoveryAction }: GpuFact): boolean => {
  const action = readRecoveryAction(recoveryAction);
  return reads !== undefined || (action !== null && action !== 'none');
};
