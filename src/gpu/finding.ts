/**
 * What one look at the driver comes to for a card that has been seen before: sound, something to be done, not readable, gone.
 *
 * Pure. Which findings end pools, and how a card comes back, is the chart's of `machines/gpu/`.
 */
import type { Cause, GpuFact, GpuFinding, Inventory } from '../machines/vocabulary.ts';
import { explainRemark } from './explain.ts';
import { pciAddressesIn } from './pci-address.ts';
import { readRecoveryAction, whatToDo } from './recovery-action.ts';

/** A card as it was last seen. */
export interface KnownCard {
  readonly uuid: string;
  readonly index: number;
  readonly pciAddress: string | null;
}

export const findingOf = (card: KnownCard, inventory: Inventory): GpuFinding => {
  const fact = inventory.gpus.find(({ uuid }) => uuid === card.uuid);
  return fact === undefined ? absent(card, inventory) : present(fact);
};

/** Of a read that failed as a whole for the sake of one card; null: it says nothing about this one. */
export const findingOfFailure = (card: KnownCard, cause: Cause): GpuFinding | null => {
  if (!ofOneCard.has(cause.code) || card.pciAddress === null || !pciAddressesIn(outputOf(cause)).includes(card.pciAddress)) return null;
  return goneFor(cause);
};

/** Equal for findings between which nothing has changed. */
export const keyOf = (finding: GpuFinding): string => {
  switch (finding.kind) {
    case 'sound':
      return `sound ${finding.action}`;
    case 'demanding':
      return `demanding ${finding.action}`;
    default:
      return `${finding.kind} ${finding.cause.code}`;
  }
};

const ofOneCard: ReadonlySet<Cause['code']> = new Set(['gpu_lost', 'gpu_reset_required', 'gpu_unhealthy', 'gpu_missing']);

const outputOf = ({ message, details }: Cause): string => {
  const output = details?.['output'];
  return typeof output === 'string' ? output : message;
};

const present = (fact: GpuFact): GpuFinding => {
  if (fact.reads === 'lost') return { kind: 'away', cause: explainRemark('GPU is lost') };
  if (fact.reads === 'reset') return { kind: 'demanding', action: 'reset', cause: explainRemark('GPU requires reset') };
  const action = readRecoveryAction(fact.recoveryAction);
  if (action !== null && action !== 'none') {
    const message = `the driver's recovery action is "${fact.recoveryAction}": ${whatToDo[action]}`;
    return { kind: 'demanding', action, cause: { code: action === 'reboot' ? 'gpu_unhealthy' : 'gpu_reset_required', message } };
  }
  if (action === null && fact.deep?.remappedRows.failed === true)
    return { kind: 'demanding', action: 'other', cause: { code: 'gpu_unhealthy', message: wornOut } };
  if (fact.reads === 'unknown') return { kind: 'failing', cause: { code: 'gpu_unhealthy', message: unreadable } };
  return { kind: 'sound', action: action ?? 'unknown' };
};

const wornOut = 'a faulty row of its memory could not be remapped (nvidia-smi -q -d ROW_REMAPPER): NVIDIA says to have the card exchanged';
const unreadable = 'the driver lists it but cannot read its memory (Unknown Error); see the kernel log (dmesg | grep NVRM)';

const absent = (card: KnownCard, { gpus, remarks = [] }: Inventory): GpuFinding => {
  const remark = remarks.find((one) => card.pciAddress !== null && pciAddressesIn(one).includes(card.pciAddress));
  if (remark === undefined) return { kind: 'away', cause: unlisted(card, gpus) };
  const cause = explainRemark(remark);
  return cause.code === 'gpu_reset_required'
    ? { kind: 'demanding', action: 'reset', cause }
    : { kind: 'away', cause: { ...cause, code: 'gpu_lost' } };
};

/** A card that cannot be opened is as good as not there. */
const goneFor = (cause: Cause): GpuFinding =>
  cause.code === 'gpu_reset_required' ? { kind: 'demanding', action: 'reset', cause } : { kind: 'away', cause: { ...cause, code: 'gpu_lost' } };

const unlisted = ({ index, uuid, pciAddress }: KnownCard, gpus: readonly GpuFact[]): Cause => ({
  code: 'gpu_lost',
  message: `the driver does not list GPU ${index} (${uuid}, PCI ${pciAddress ?? 'unknown'}) any more, only ${gpus.map((gpu) => gpu.index).join(', ') || 'no card at all'}; see the kernel log (dmesg | grep NVRM)`,
});
