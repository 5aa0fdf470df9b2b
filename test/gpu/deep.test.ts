/** What changes slowly: read from `-q -x` when it is wanted, kept with its age, and no part of a look that may fail. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isCause } from '../../src/cause.ts';
import { nvidiaSmi } from '../../src/gpu/nvidia-smi.ts';
import { parseDetail } from '../../src/gpu/parse-xml.ts';
import type { GpuSource } from '../../src/gpu/source.ts';
import type { GpuFact } from '../../src/machines/vocabulary.ts';
import { type FakeNvidiaSmi, fakeNvidiaSmi, uuidOf } from '../kit/nvidia-smi.ts';

const xml = [
  '<persistence_mode>Enabled</persistence_mode>',
  '<ecc_mode><current_ecc>Enabled</current_ecc></ecc_mode>',
  '<ecc_errors><volatile><sram_correctable>1</sram_correctable><sram_uncorrectable_parity>2</sram_uncorrectable_parity>',
  '<sram_uncorrectable_secded>3</sram_uncorrectable_secded><dram_correctable>10</dram_correctable><dram_uncorrectable>20</dram_uncorrectable></volatile>',
  '<aggregate><sram_uncorrectable>100</sram_uncorrectable><dram_uncorrectable>N/A</dram_uncorrectable></aggregate></ecc_errors>',
  '<remapped_rows><remapped_row_corr>4</remapped_row_corr><remapped_row_unc>5</remapped_row_unc>',
  '<remapped_row_pending>Yes</remapped_row_pending><remapped_row_failure>No</remapped_row_failure></remapped_rows>',
  '<gpu_power_readings><current_power_limit>500.00 W</current_power_limit></gpu_power_readings>',
  '<clocks><graphics_clock>1275 MHz</graphics_clock><mem_clock>1593 MHz</mem_clock></clocks>',
].join('');

const expected = {
  persistenceMode: true,
  powerLimitWatts: 500,
  graphicsClockMhz: 1275,
  memoryClockMhz: 1593,
  ecc: { enabled: true, corrected: 11, uncorrected: 25, uncorrectedEver: 100 },
  remappedRows: { corrected: 4, uncorrected: 5, pending: true, failed: false },
  retiredPages: { count: null, pending: null },
};

it('is read from the words of several versions; what a card does not have is unknown', () => {
  const log = (gpu: string) => parseDetail(`<nvidia_smi_log><gpu id="x"><uuid>GPU-1</uuid>${gpu}</gpu></nvidia_smi_log>`);
  const deepOf = (gpu: string) => {
    const detail = log(gpu);
    return 'gpus' in detail ? detail.gpus[0]?.deep : detail;
  };
  expect(deepOf(xml)).toEqual(expected);
  const older =
    '<retired_pages><multiple_single_bit_retirement><retired_count>1</retired_count></multiple_single_bit_retirement><double_bit_retirement><retired_count>2</retired_count></double_bit_retirement><pending_retirement>Yes</pending_retirement></retired_pages><power_readings><enforced_power_limit>70.00 W</enforced_power_limit></power_readings>';
  expect(deepOf(older)).toMatchObject({ retiredPages: { count: 3, pending: true }, powerLimitWatts: 70, remappedRows: { pending: null } });
  expect(deepOf('<persistence_mode>N/A</persistence_mode><remapped_rows>N/A</remapped_rows>')).toEqual({
    persistenceMode: null,
    powerLimitWatts: null,
    graphicsClockMhz: null,
    memoryClockMhz: null,
    ecc: { enabled: null, corrected: null, uncorrected: null, uncorrectedEver: null },
    remappedRows: { corrected: null, uncorrected: null, pending: null, failed: null },
    retiredPages: { count: null, pending: null },
  });
});

describe('of nvidia-smi', () => {
  let fake: FakeNvidiaSmi;
  let source: GpuSource;
  beforeEach(async () => {
    fake = await fakeNvidiaSmi({ cards: [{ xml }] });
    source = nvidiaSmi({ env: fake.env });
  });
  afterEach(async () => {
    source.close();
    await fake.remove();
  });
  const look = async (): Promise<GpuFact | undefined> => {
    const read = await source.read(8_000);
    if (isCause(read)) throw new Error(read.message);
    return read.gpus[0];
  };
  const deepRuns = async () => (await fake.runs()).filter(({ argv }) => argv === '-q -x').length;

  it('is asked for when it is wanted, once, and kept with the time at which it was read', async () => {
    expect(await look()).toMatchObject({ deep: null });
    source.wantDeep?.();
    const read = await look();
    expect(read?.deep).toEqual({ ...expected, at: expect.any(Number), mono: expect.any(Number) });
    expect((await look())?.deep).toEqual(read?.deep);
    expect(await deepRuns()).toBe(1);
  });

  it('fails no look: the cards are told, what was read before stays, and it is asked for again only when it is wanted again', async () => {
    source.wantDeep?.();
    const read = await look();
    await fake.play({ cards: [{ xml: '<unclosed>' }] });
    source.wantDeep?.();
    const next = await source.read(8_000);
    expect(next).toMatchObject({ gpus: [{ uuid: uuidOf(0), deep: { mono: read?.deep?.mono } }], remarks: [expect.stringContaining('-q -x')] });
    await look();
    expect(await deepRuns()).toBe(2);
  });
});
