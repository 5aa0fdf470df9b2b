/**
 * Xids, the error numbers of NVIDIA's driver in the kernel's log, and what each means for the card and for who is on it.
 *
 * Data only, after NVIDIA's catalogue. What the driver itself says is to be done (its recovery action, Xid 154) comes before
 * this table.
 */

/**
 * `note`: shown and counted. `restart`: what runs there is dead, the card is not; `restartNamed`: only where the kernel names
 * the process. `link`: of concern to pools of several cards. `later`: takes effect at a reset, which can wait. `reset`,
 * `reboot`: nothing is put there until then. `lost`: the card is gone. `told`: the driver's own word.
 */
export type XidAct = 'note' | 'restart' | 'restartNamed' | 'link' | 'later' | 'reset' | 'reboot' | 'lost' | 'told';

export interface XidRow {
  readonly codes: readonly number[];
  readonly means: string;
  readonly act: XidAct;
  /** Where the text does not say that it is fatal it is only noted. */
  readonly onlyFatal?: true;
  /** So many within a day, of so many pools, are the card's fault. */
  readonly repeated?: { readonly times: number; readonly pools: number };
  /** The driver is likely to hang when it is asked now. */
  readonly leaveAlone?: true;
}

const range = (first: number, last: number): readonly number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index);

export const xidRows: readonly XidRow[] = [
  { codes: [8], means: 'the GPU stopped processing (idle timeout)', act: 'restart' },
  { codes: [11, 25, 80], means: 'a corrupted push buffer', act: 'restart' },
  { codes: [32], means: 'a corrupted push buffer', act: 'restart', repeated: { times: 2, pools: 1 } },
  { codes: [13], means: 'a graphics engine exception, mostly a faulty kernel of the application', act: 'restart' },
  { codes: [31], means: 'a page fault of the GPU, mostly an illegal access of the application', act: 'restart', repeated: { times: 3, pools: 2 } },
  { codes: [37, 38, 66, 67], means: 'a firmware or driver error', act: 'note' },
  { codes: [...range(39, 41), ...range(70, 72), ...range(75, 77), 85, ...range(126, 135)], means: 'a copy engine error', act: 'restart' },
  { codes: [43], means: 'the GPU stopped processing for an application', act: 'restart' },
  { codes: [44], means: 'a fault in a context switch', act: 'restart' },
  { codes: [45], means: 'cleanup after another error', act: 'restartNamed' },
  { codes: [46], means: 'the GPU stopped processing', act: 'reset' },
  { codes: [48], means: 'a double-bit memory error', act: 'reset' },
  { codes: [54], means: 'auxiliary power is not connected', act: 'reboot' },
  {
    codes: [60, 68, ...range(82, 84), 86, 88, 89, ...range(96, 105), 139],
    means: 'an error of a video, JPEG or optical flow engine',
    act: 'restartNamed',
  },
  { codes: [61, 62], means: 'a micro-controller of the GPU halted', act: 'reset' },
  { codes: [63], means: 'a memory row or page was retired', act: 'later' },
  { codes: [64], means: 'a memory row could not be retired', act: 'reset' },
  { codes: [69], means: 'a graphics class error', act: 'restart' },
  { codes: [74], means: 'an NVLink error', act: 'link' },
  { codes: [78], means: 'a virtual GPU could not be started', act: 'note' },
  { codes: [79], means: 'the GPU has fallen off the bus', act: 'lost', leaveAlone: true },
  { codes: [92], means: 'a high rate of single-bit memory errors', act: 'note' },
  { codes: [93], means: 'wear of the InfoROM', act: 'note' },
  { codes: [94], means: 'a contained memory error', act: 'restart' },
  { codes: [95], means: 'an uncontained memory error', act: 'reset' },
  { codes: [106, 107], means: 'a test message', act: 'note' },
  { codes: [109], means: 'a context switch timed out', act: 'reset' },
  { codes: [110], means: 'a security fault', act: 'reset' },
  { codes: [119, 120], means: 'the GPU system processor (GSP) does not answer or failed', act: 'reset', leaveAlone: true },
  { codes: [121], means: 'an error of the C2C link', act: 'note' },
  { codes: range(122, 125), means: 'an error of SPI or the InfoROM; NVIDIA says to contact support', act: 'note' },
  { codes: [136], means: 'NVLink could not be trained', act: 'link' },
  { codes: [137], means: 'an NVLink access that an application was not allowed', act: 'restart' },
  { codes: [140], means: 'memory errors that could not be corrected', act: 'reset' },
  { codes: [143], means: 'the GPU could not be initialised', act: 'reset' },
  { codes: range(144, 150), means: 'an NVLink error', act: 'link', onlyFatal: true },
  { codes: [151], means: 'key rotation of confidential computing failed', act: 'reboot' },
  { codes: [154], means: "the driver's recovery action changed", act: 'told' },
  { codes: [155], means: 'an NVLink error', act: 'link' },
  { codes: [156], means: 'a resource was retired', act: 'later' },
  { codes: [157, 160, 161], means: 'a resource or channel could not be retired', act: 'note' },
  { codes: [158], means: 'a fatal timeout of the GPU', act: 'reset' },
  { codes: [159], means: 'an error of the coherent interface; see the messages of nvidia-uvm', act: 'restart' },
  { codes: range(162, 165), means: 'a message of power smoothing', act: 'note' },
];

const byCode: ReadonlyMap<number, XidRow> = new Map(xidRows.flatMap((row) => row.codes.map((code) => [code, row] as const)));

export const isKnownXid = (code: number): boolean => byCode.has(code);

/** Of a number that is not in the table nothing is known but that it was said. */
export const xidRow = (code: number): XidRow | null => byCode.get(code) ?? null;
