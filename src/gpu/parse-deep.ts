/**
 * One card of `nvidia-smi -q -x` → what changes slowly or is asked for rarely: clocks, power limit, errors of its memory, rows
 * that were remapped, pages that were retired, modes.
 *
 * Pure. What a card does not have is null; versions 11 to 13 of NVIDIA's DTD name their counters differently.
 */
import type { XmlElement } from '@rgrove/parse-xml';
import type { GpuDeep } from '../machines/vocabulary.ts';
import { known, quantity, whole } from './parse-values.ts';
import { at, childrenOf, textAt } from './xml-elements.ts';

export type Deep = Omit<GpuDeep, 'at' | 'mono'>;

export const parseDeep = (gpu: XmlElement): Deep => ({
  persistenceMode: switched(textAt(gpu, 'persistence_mode')),
  powerLimitWatts: quantity(textAt(gpu, 'gpu_power_readings', 'current_power_limit') ?? textAt(gpu, 'power_readings', 'enforced_power_limit')),
  graphicsClockMhz: quantity(textAt(gpu, 'clocks', 'graphics_clock')),
  memoryClockMhz: quantity(textAt(gpu, 'clocks', 'mem_clock')),
  ecc: {
    enabled: switched(textAt(gpu, 'ecc_mode', 'current_ecc')),
    corrected: counted(gpu, ['ecc_errors', 'volatile'], corrected),
    uncorrected: counted(gpu, ['ecc_errors', 'volatile'], uncorrected),
    uncorrectedEver: counted(gpu, ['ecc_errors', 'aggregate'], uncorrected),
  },
  remappedRows: remapped(gpu),
  retiredPages: {
    count: sum([
      whole(textAt(gpu, 'retired_pages', 'multiple_single_bit_retirement', 'retired_count')),
      whole(textAt(gpu, 'retired_pages', 'double_bit_retirement', 'retired_count')),
    ]),
    pending: said(textAt(gpu, 'retired_pages', 'pending_retirement')),
  },
});

const corrected = /^[sd]ram_correctable$/;
/** `sram_uncorrectable`, since 12.4 `sram_uncorrectable_parity` and `…_secded`; `dram_uncorrectable`. */
const uncorrected = /^[sd]ram_uncorrectable(_parity|_secded)?$/;

const counted = (gpu: XmlElement, path: readonly string[], name: RegExp): number | null => {
  const counters = at(gpu, ...path).flatMap((group) => childrenOf(group).filter((child) => name.test(child.name)));
  return sum(counters.map(({ text }) => whole(text)));
};

/** Null only where none is known: one memory of a card may have no counter. */
const sum = (counts: readonly (number | null)[]): number | null =>
  counts.reduce<number | null>((total, count) => (count === null ? total : (total ?? 0) + count), null);

const remapped = (gpu: XmlElement): Deep['remappedRows'] => ({
  corrected: whole(textAt(gpu, 'remapped_rows', 'remapped_row_corr')),
  uncorrected: whole(textAt(gpu, 'remapped_rows', 'remapped_row_unc')),
  pending: said(textAt(gpu, 'remapped_rows', 'remapped_row_pending')),
  failed: said(textAt(gpu, 'remapped_rows', 'remapped_row_failure')),
});

const switched = (text: string | undefined): boolean | null => {
  const value = known(text);
  return value === 'Enabled' ? true : value === 'Disabled' ? false : null;
};

const said = (text: string | undefined): boolean | null => {
  const value = known(text);
  return value === 'Yes' ? true : value === 'No' ? false : null;
};
