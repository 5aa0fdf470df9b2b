/**
 * One look at all cards through NVML. Decides what is asked, and what of it matters: a value that a card does not have is null, a
 * card that says it is lost or wants a reset is listed with that, one that does not tell its UUID is named by its index.
 */
import type { Handle, Nvml, Running, Said } from './library.ts';
import type { WireCard, WireFacts } from './protocol.ts';

export interface Looked {
  readonly facts: WireFacts;
  readonly handles: ReadonlyMap<Handle, WireCard>;
}

const lost = 15;
const resetRequired = 16;
const unknown = 999;

/** What stays as it is as long as a library is loaded: asked once. */
export interface Settled {
  driverVersion: string | null;
  cudaVersion: number | null;
  /** By UUID. */
  readonly cards: Map<string, Pick<WireCard, 'pciAddress' | 'name' | 'computeCapability'>>;
}

export const nothingSettled = (): Settled => ({ driverVersion: null, cudaVersion: null, cards: new Map() });

export const lookThrough = (nvml: Nvml, deep: boolean, settled: Settled): Looked | Extract<Said<never>, { ok: false }> => {
  const count = nvml.count();
  if (!count.ok) return count;
  const handles = new Map<Handle, WireCard>();
  const unread: WireFacts['unread'] = [];
  for (let index = 0; index < count.value; index += 1) {
    const handle = nvml.handle(index);
    const uuid = handle.ok ? nvml.uuid(handle.value) : handle;
    if (handle.ok && uuid.ok) handles.set(handle.value, toCard(nvml, { index, handle: handle.value, uuid: uuid.value }, deep, settled));
    else if (!uuid.ok) unread.push({ index, call: uuid.call, code: uuid.code });
  }
  settled.driverVersion ??= known(nvml.driverVersion());
  settled.cudaVersion ??= known(nvml.cudaVersion());
  const { driverVersion, cudaVersion } = settled;
  return { facts: { driverVersion, cudaVersion, cards: [...handles.values()], unread }, handles };
};

const known = <T>(said: Said<T>): T | null => (said.ok ? said.value : null);

interface Who {
  readonly index: number;
  readonly handle: Handle;
  readonly uuid: string;
}

const settledOf = (nvml: Nvml, { handle, uuid }: Who, { cards }: Settled) => {
  const before = cards.get(uuid);
  if (before !== undefined) return before;
  const capability = known(nvml.capability(handle));
  const found = {
    pciAddress: known(nvml.pciAddress(handle)),
    name: known(nvml.name(handle)),
    computeCapability: capability === null ? null : capability.join('.'),
  };
  if (Object.values(found).every((value) => value !== null)) cards.set(uuid, found);
  return found;
};

const toCard = (nvml: Nvml, who: Who, deep: boolean, settled: Settled): WireCard => {
  const { index, handle, uuid } = who;
  const memory = nvml.memory(handle);
  const recovery = nvml.recovery(handle);
  const temperature = nvml.temperature(handle);
  const compute = nvml.computeProcesses(handle);
  const graphics = nvml.graphicsProcesses(handle);
  return {
    index,
    uuid,
    ...settledOf(nvml, who, settled),
    memory: known(memory),
    temperatureC: known(temperature),
    powerWatts: watts(nvml.powerMilliwatts(handle)),
    utilisationPercent: known(nvml.utilisation(handle)),
    recovery: known(recovery),
    worst: worstOf([memory, recovery, temperature, compute]),
    processes: together(known(compute) ?? [], known(graphics) ?? []),
    mig: known(nvml.migMode(handle))?.[0] === 1 ? slicesOf(nvml, handle) : null,
    deep: deep ? deepOf(nvml, handle) : null,
  };
};

const watts = (milliwatts: Said<number>): number | null => (milliwatts.ok ? milliwatts.value / 1000 : null);

/** An unknown error counts where it is the memory's: a card has much that it does not know how to tell. */
const worstOf = (said: readonly [memory: Said<unknown>, ...more: Said<unknown>[]]): number | null => {
  const codes = said.map((one) => (one.ok ? null : one.code));
  if (codes.includes(lost)) return lost;
  if (codes.includes(resetRequired)) return resetRequired;
  return codes[0] === unknown ? unknown : null;
};

/** A process in both lists counts once. */
const together = (compute: readonly Running[], graphics: readonly Running[]): Running[] => [
  ...compute,
  ...graphics.filter(({ pid }) => compute.every((other) => other.pid !== pid)),
];

const slicesOf = (nvml: Nvml, card: Handle): NonNullable<WireCard['mig']> => {
  const most = known(nvml.migCount(card)) ?? 0;
  return Array.from({ length: most }, (_, index) => index).flatMap((index) => {
    const handle = nvml.migHandle(card, index);
    if (!handle.ok) return [];
    const [uuid, gpuInstanceId, computeInstanceId] = [nvml.uuid(handle.value), nvml.gpuInstance(handle.value), nvml.computeInstance(handle.value)];
    if (!uuid.ok || !gpuInstanceId.ok || !computeInstanceId.ok) return [];
    const [name, memory] = [known(nvml.name(handle.value)), known(nvml.memory(handle.value))];
    return [{ uuid: uuid.value, name, gpuInstanceId: gpuInstanceId.value, computeInstanceId: computeInstanceId.value, memory }];
  });
};

const deepOf = (nvml: Nvml, card: Handle): NonNullable<WireCard['deep']> => {
  const rows = known(nvml.remappedRows(card));
  const pages = [known(nvml.retiredPages(card, 'single')), known(nvml.retiredPages(card, 'double'))].filter((found) => found !== null);
  return {
    persistenceMode: yesOrNo(known(nvml.persistence(card))),
    powerLimitWatts: watts(nvml.powerLimitMilliwatts(card)),
    graphicsClockMhz: known(nvml.clock(card, 'graphics')),
    memoryClockMhz: known(nvml.clock(card, 'memory')),
    ecc: {
      enabled: yesOrNo(known(nvml.eccMode(card))?.[0] ?? null),
      corrected: known(nvml.eccErrors(card, 'corrected', 'volatile')),
      uncorrected: known(nvml.eccErrors(card, 'uncorrected', 'volatile')),
      uncorrectedEver: known(nvml.eccErrors(card, 'uncorrected', 'aggregate')),
    },
    remappedRows: {
      corrected: rows?.[0] ?? null,
      uncorrected: rows?.[1] ?? null,
      pending: yesOrNo(rows?.[2] ?? null),
      failed: yesOrNo(rows?.[3] ?? null),
    },
    retiredPages: {
      count: pages.length === 0 ? null : pages.reduce((sum, found) => sum + found, 0),
      pending: yesOrNo(known(nvml.retirementPending(card))),
    },
  };
};

const yesOrNo = (flag: number | null): boolean | null => (flag === null ? null : flag !== 0);
