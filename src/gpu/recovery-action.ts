/** The driver's recovery action, in the words of nvidia-smi and of Xid 154 → what is to be done. Pure. */
import type { RecoveryAction } from '../machines/vocabulary.ts';

/** Null: this driver does not tell. */
export const readRecoveryAction = (words: string | null): RecoveryAction | 'none' | null => {
  if (words === null) return null;
  return table.find(([wording]) => wording.test(words))?.[1] ?? 'other';
};

const table: readonly (readonly [wording: RegExp, action: RecoveryAction | 'none'])[] = [
  [/^none$/i, 'none'],
  [/drain.*reset/i, 'drain_and_reset'],
  [/drain/i, 'drain_p2p'],
  [/reboot/i, 'reboot'],
  [/reset/i, 'reset'],
];

export const whatToDo: Readonly<Record<RecoveryAction, string>> = {
  reset: 'reset it once nothing uses it: nvidia-smi --gpu-reset -i <index>',
  reboot: 'reboot the machine',
  drain_p2p: 'end what uses it together with other GPUs',
  drain_and_reset: 'end everything on it, then reset it: nvidia-smi --gpu-reset -i <index>',
  other: "see NVIDIA's documentation for what it means",
};
