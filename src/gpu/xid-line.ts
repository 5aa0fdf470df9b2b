/**
 * A line of the kernel's log → the Xid that it tells, or the loss of a card that the driver tells without one.
 *
 * Pure. The forms are those of NVIDIA's kernel modules from 470 to 595. Which of our pools a process belongs to is added by
 * whoever knows the processes.
 */
import type { XidReport } from '../machines/vocabulary.ts';
import { driverSpelling, pciAddressesIn } from './pci-address.ts';
import { readRecoveryAction } from './recovery-action.ts';

/** An Xid as the kernel words it. */
export type KernelXid = Omit<XidReport, 'process'> & { readonly pid: number | null };

/** Fell off the bus. */
const busLoss = 79;
const longestText = 400;

/** Cheap: nearly every line of a kernel's log is none of ours. */
export const mayTellXid = (text: string): boolean => text.includes('NVRM');

export const readXid = (line: string): KernelXid | null => {
  const text = line.replaceAll('\\x0a', ' ').replaceAll(/\s+/g, ' ').trim();
  return xidIn(text) ?? lossIn(text);
};

const xidIn = (text: string): KernelXid | null => {
  const [, address, place = '', digits, rest = ''] = /NVRM: Xid \((?:PCI:)?([0-9a-f:.]+)([^)]*)\): (\d{1,5}),?(.*)$/i.exec(text) ?? [];
  const pciAddress = driverSpelling(address ?? null);
  if (pciAddress === null || digits === undefined) return null;
  const instance = /GPU-I:(\d+)/.exec(place)?.[1];
  const pid = /\bpid='?(\d+)/.exec(rest)?.[1];
  const follows = /caused by previous Xid (\d+)/i.exec(rest)?.[1];
  const code = Number(digits);
  return {
    code,
    pciAddress,
    gpuInstanceId: instance === undefined ? null : Number(instance),
    pid: pid === undefined ? null : Number(pid),
    recovery: code === 154 ? readRecoveryAction(/ to (?:0x[0-9a-f]+ )?\(?([^()]+?)\)?\s*$/i.exec(rest)?.[1] ?? null) : null,
    follows: follows === undefined ? null : Number(follows),
    fatal: /\bFatal\b/i.test(rest) && !/\bNon-?fatal\b/i.test(rest),
    text: text.slice(0, longestText),
  };
};

/** `NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.` and `NVRM: The NVIDIA GPU 0000:3b:00.0 (…) … fallen off the bus …`. */
const lossIn = (text: string): KernelXid | null => {
  if (!/NVRM: (?:The NVIDIA )?GPU\b.*\bfallen off the bus\b/i.test(text)) return null;
  const [pciAddress] = pciAddressesIn(text);
  if (pciAddress === undefined) return null;
  return { code: busLoss, pciAddress, gpuInstanceId: null, pid: null, recovery: null, follows: null, fatal: true, text: text.slice(0, longestText) };
};
