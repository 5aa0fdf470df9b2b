/**
 * NVIDIA's management library, `libnvidia-ml.so.1`, called through `node:ffi`: what it says of machine, cards and slices, as values.
 *
 * Only for the process that `main.ts` is: a call may hang in the driver for ever. The library is found by the loader, as for every
 * program. Layouts are those of nvml.h, which NVIDIA keeps compatible; a function that a library does not have is code 13.
 */
import type ffi from 'node:ffi';

/** `code`: of NVML, never 0. */
export type Said<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly call: string; readonly code: number };

/** Opaque: a card, or a slice of one. */
export type Handle = bigint;

export interface Memory {
  readonly totalBytes: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
}

export interface Running {
  readonly pid: number;
  readonly usedBytes: number | null;
  readonly gpuInstanceId: number | null;
}

export interface DriverEvent {
  readonly device: Handle;
  readonly type: bigint;
  readonly data: number;
  readonly gpuInstanceId: number | null;
}

export const libraryName = 'libnvidia-ml.so.1';

const signatures = {
  nvmlInit_v2: [],
  nvmlShutdown: [],
  nvmlSystemGetDriverVersion: ['buffer', 'u32'],
  nvmlSystemGetCudaDriverVersion_v2: ['buffer'],
  nvmlDeviceGetCount_v2: ['buffer'],
  nvmlDeviceGetHandleByIndex_v2: ['u32', 'buffer'],
  nvmlDeviceGetUUID: ['pointer', 'buffer', 'u32'],
  nvmlDeviceGetName: ['pointer', 'buffer', 'u32'],
  nvmlDeviceGetPciInfo_v3: ['pointer', 'buffer'],
  nvmlDeviceGetMemoryInfo: ['pointer', 'buffer'],
  nvmlDeviceGetMemoryInfo_v2: ['pointer', 'buffer'],
  nvmlDeviceGetCudaComputeCapability: ['pointer', 'buffer', 'buffer'],
  nvmlDeviceGetTemperature: ['pointer', 'i32', 'buffer'],
  nvmlDeviceGetPowerUsage: ['pointer', 'buffer'],
  nvmlDeviceGetPowerManagementLimit: ['pointer', 'buffer'],
  nvmlDeviceGetUtilizationRates: ['pointer', 'buffer'],
  nvmlDeviceGetFieldValues: ['pointer', 'i32', 'buffer'],
  nvmlDeviceGetPersistenceMode: ['pointer', 'buffer'],
  nvmlDeviceGetClockInfo: ['pointer', 'i32', 'buffer'],
  nvmlDeviceGetEccMode: ['pointer', 'buffer', 'buffer'],
  nvmlDeviceGetTotalEccErrors: ['pointer', 'i32', 'i32', 'buffer'],
  nvmlDeviceGetRemappedRows: ['pointer', 'buffer', 'buffer', 'buffer', 'buffer'],
  nvmlDeviceGetRetiredPages: ['pointer', 'i32', 'buffer', 'buffer'],
  nvmlDeviceGetRetiredPagesPendingStatus: ['pointer', 'buffer'],
  nvmlDeviceGetMigMode: ['pointer', 'buffer', 'buffer'],
  nvmlDeviceGetMaxMigDeviceCount: ['pointer', 'buffer'],
  nvmlDeviceGetMigDeviceHandleByIndex: ['pointer', 'u32', 'buffer'],
  nvmlDeviceGetGpuInstanceId: ['pointer', 'buffer'],
  nvmlDeviceGetComputeInstanceId: ['pointer', 'buffer'],
  nvmlDeviceGetComputeRunningProcesses_v3: ['pointer', 'buffer', 'buffer'],
  nvmlDeviceGetGraphicsRunningProcesses_v3: ['pointer', 'buffer', 'buffer'],
  nvmlEventSetCreate: ['buffer'],
  nvmlEventSetFree: ['pointer'],
  nvmlDeviceGetSupportedEventTypes: ['pointer', 'buffer'],
  nvmlDeviceRegisterEvents: ['pointer', 'u64', 'pointer'],
  nvmlEventSetWait_v2: ['pointer', 'buffer', 'u32'],
} as const satisfies Readonly<Record<string, readonly ffi.ArgumentType[]>>;

type Call = keyof typeof signatures;
type Argument = number | bigint | Buffer;

/** Without these nothing can be said of a card. */
const needed: readonly Call[] = ['nvmlInit_v2', 'nvmlDeviceGetCount_v2', 'nvmlDeviceGetHandleByIndex_v2', 'nvmlDeviceGetUUID'];

const functionNotFound = 13;
const insufficientSize = 7;
const notSupported = 3;

/** Of `NVML_FI_DEV_GET_GPU_RECOVERY_ACTION`. */
const recoveryField = 230;
const noInstance = 0xffff_ffff;
const notAvailable = 0xffff_ffff_ffff_ffffn;
const mostProcesses = 4096;

/** A sentence: why there is no such library here. */
export type Unavailable = { readonly unavailable: string };

export const openLibrary = (name: string = libraryName): Nvml | Unavailable => {
  const module: typeof ffi | undefined = process.getBuiltinModule('node:ffi');
  if (module === undefined) return { unavailable: 'this Node has no node:ffi' };
  try {
    const library = new module.DynamicLibrary(name);
    const functions = new Map<Call, (...args: readonly Argument[]) => number>();
    for (const call of Object.keys(signatures) as Call[]) {
      const found = symbolOf(library, call);
      if (found !== null) functions.set(call, found);
    }
    const lacking = needed.find((call) => !functions.has(call));
    return lacking === undefined ? nvml(functions) : { unavailable: `${name} has no ${lacking}: it is older than what is needed` };
  } catch (thrown) {
    return { unavailable: thrown instanceof Error ? thrown.message : String(thrown) };
  }
};

const symbolOf = (library: ffi.DynamicLibrary, call: Call): ((...args: readonly Argument[]) => number) | null => {
  const signature: { readonly arguments: readonly ffi.ArgumentType[]; readonly return: 'i32' } = { arguments: signatures[call], return: 'i32' };
  try {
    return library.getFunction(call, signature);
  } catch {
    return null;
  }
};

export type Nvml = ReturnType<typeof nvml>;

const nvml = (functions: ReadonlyMap<Call, (...args: readonly Argument[]) => number>) => {
  const codeOf = (call: Call, ...args: readonly Argument[]): number => functions.get(call)?.(...args) ?? functionNotFound;
  const said = <T>(call: Call, value: () => T, ...args: readonly Argument[]): Said<T> => {
    const code = codeOf(call, ...args);
    return code === 0 ? { ok: true, value: value() } : { ok: false, call, code };
  };
  const u32 = (call: Call, ...before: readonly Argument[]): Said<number> => {
    const into = Buffer.alloc(8);
    return said(call, () => into.readUInt32LE(), ...before, into);
  };
  const text = (call: Call, ...before: readonly Argument[]): Said<string> => {
    const into = Buffer.alloc(96);
    return said(call, () => cString(into), ...before, into, into.length);
  };
  const pair = (call: Call, device: Handle): Said<readonly [number, number]> => {
    const [first, second] = [Buffer.alloc(8), Buffer.alloc(8)];
    return said(call, () => [first.readUInt32LE(), second.readUInt32LE()], device, first, second);
  };
  const handle = (call: Call, ...before: readonly Argument[]): Said<Handle> => {
    const into = Buffer.alloc(8);
    return said(call, () => into.readBigUInt64LE(), ...before, into);
  };

  const memoryBefore510 = (device: Handle): Said<Memory> => {
    const into = Buffer.alloc(24);
    return said('nvmlDeviceGetMemoryInfo', () => ({ totalBytes: u64(into, 0), freeBytes: u64(into, 8), usedBytes: u64(into, 16) }), device, into);
  };
  /** What the driver keeps for itself is neither used nor free, as nvidia-smi shows it; older libraries count it as used. */
  const memory = (device: Handle): Said<Memory> => {
    const into = Buffer.alloc(40);
    into.writeUInt32LE(((2 << 24) | into.length) >>> 0);
    const values = (): Memory => ({ totalBytes: u64(into, 8), freeBytes: u64(into, 24), usedBytes: u64(into, 32) });
    const found = said('nvmlDeviceGetMemoryInfo_v2', values, device, into);
    return !found.ok && (found.code === functionNotFound || found.code === notSupported) ? memoryBefore510(device) : found;
  };

  const recovery = (device: Handle): Said<number> => {
    const field = Buffer.alloc(40);
    field.writeUInt32LE(recoveryField);
    const code = codeOf('nvmlDeviceGetFieldValues', device, 1, field) || field.readInt32LE(28);
    return code === 0 ? { ok: true, value: field.readUInt32LE(32) } : { ok: false, call: 'nvmlDeviceGetFieldValues', code };
  };

  const running = (call: Call, device: Handle): Said<readonly Running[]> => {
    for (let room = 64; ; room *= 4) {
      const [count, into] = [Buffer.alloc(8), Buffer.alloc(room * 24)];
      count.writeUInt32LE(room);
      const code = codeOf(call, device, count, into);
      if (code === insufficientSize && room < mostProcesses) continue;
      if (code !== 0) return { ok: false, call, code };
      return { ok: true, value: Array.from({ length: Math.min(room, count.readUInt32LE()) }, (_, index) => toRunning(into, index * 24)) };
    }
  };

  const remappedRows = (device: Handle): Said<readonly [number, number, number, number]> => {
    const [a, b, c, d] = [Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8)];
    const values = () => [a.readUInt32LE(), b.readUInt32LE(), c.readUInt32LE(), d.readUInt32LE()] as const;
    return said('nvmlDeviceGetRemappedRows', values, device, a, b, c, d);
  };

  /** How many; which ones is not asked. */
  const retiredPages = (device: Handle, cause: 'single' | 'double'): Said<number> => {
    const [count, addresses] = [Buffer.alloc(8), Buffer.alloc(8 * 64)];
    count.writeUInt32LE(64);
    const code = codeOf('nvmlDeviceGetRetiredPages', device, cause === 'single' ? 0 : 1, count, addresses);
    if (code === 0 || code === insufficientSize) return { ok: true, value: count.readUInt32LE() };
    return { ok: false, call: 'nvmlDeviceGetRetiredPages', code };
  };

  const eccErrors = (device: Handle, type: 'corrected' | 'uncorrected', counter: 'volatile' | 'aggregate'): Said<number> => {
    const into = Buffer.alloc(8);
    const args = [device, type === 'corrected' ? 0 : 1, counter === 'volatile' ? 0 : 1, into];
    return said('nvmlDeviceGetTotalEccErrors', () => u64(into, 0), ...args);
  };

  return {
    init: (): Said<null> => said('nvmlInit_v2', () => null),
    shutdown: (): void => void codeOf('nvmlShutdown'),
    driverVersion: () => text('nvmlSystemGetDriverVersion'),
    /** 1000 × major + 10 × minor */
    cudaVersion: () => u32('nvmlSystemGetCudaDriverVersion_v2'),
    count: () => u32('nvmlDeviceGetCount_v2'),
    handle: (index: number) => handle('nvmlDeviceGetHandleByIndex_v2', index),
    uuid: (device: Handle) => text('nvmlDeviceGetUUID', device),
    name: (device: Handle) => text('nvmlDeviceGetName', device),
    pciAddress: (device: Handle): Said<string> => {
      const into = Buffer.alloc(80);
      return said('nvmlDeviceGetPciInfo_v3', () => cString(into.subarray(36, 68)), device, into);
    },
    memory,
    capability: (device: Handle) => pair('nvmlDeviceGetCudaComputeCapability', device),
    temperature: (device: Handle) => u32('nvmlDeviceGetTemperature', device, 0),
    powerMilliwatts: (device: Handle) => u32('nvmlDeviceGetPowerUsage', device),
    powerLimitMilliwatts: (device: Handle) => u32('nvmlDeviceGetPowerManagementLimit', device),
    utilisation: (device: Handle) => u32('nvmlDeviceGetUtilizationRates', device),
    recovery,
    persistence: (device: Handle) => u32('nvmlDeviceGetPersistenceMode', device),
    clock: (device: Handle, clock: 'graphics' | 'memory') => u32('nvmlDeviceGetClockInfo', device, clock === 'graphics' ? 0 : 2),
    eccMode: (device: Handle) => pair('nvmlDeviceGetEccMode', device),
    eccErrors,
    remappedRows,
    retiredPages,
    retirementPending: (device: Handle) => u32('nvmlDeviceGetRetiredPagesPendingStatus', device),
    migMode: (device: Handle) => pair('nvmlDeviceGetMigMode', device),
    migCount: (device: Handle) => u32('nvmlDeviceGetMaxMigDeviceCount', device),
    migHandle: (device: Handle, index: number) => handle('nvmlDeviceGetMigDeviceHandleByIndex', device, index),
    gpuInstance: (slice: Handle) => u32('nvmlDeviceGetGpuInstanceId', slice),
    computeInstance: (slice: Handle) => u32('nvmlDeviceGetComputeInstanceId', slice),
    computeProcesses: (device: Handle) => running('nvmlDeviceGetComputeRunningProcesses_v3', device),
    graphicsProcesses: (device: Handle) => running('nvmlDeviceGetGraphicsRunningProcesses_v3', device),
    openEvents: () => handle('nvmlEventSetCreate'),
    closeEvents: (set: Handle): void => void codeOf('nvmlEventSetFree', set),
    eventTypes: (device: Handle): Said<bigint> => handle('nvmlDeviceGetSupportedEventTypes', device),
    register: (device: Handle, types: bigint, set: Handle): Said<null> => said('nvmlDeviceRegisterEvents', () => null, device, types, set),
    /** Never waits: nothing there is code 10. */
    nextEvent: (set: Handle): Said<DriverEvent> => {
      const into = Buffer.alloc(32);
      return said('nvmlEventSetWait_v2', () => toEvent(into), set, into, 0);
    },
  };
};

const toRunning = (bytes: Buffer, at: number): Running => {
  const used = bytes.readBigUInt64LE(at + 8);
  return { pid: bytes.readUInt32LE(at), usedBytes: used === notAvailable ? null : Number(used), gpuInstanceId: instance(bytes, at + 16) };
};

const toEvent = (bytes: Buffer): DriverEvent => ({
  device: bytes.readBigUInt64LE(0),
  type: bytes.readBigUInt64LE(8),
  data: u64(bytes, 16),
  gpuInstanceId: instance(bytes, 24),
});

const instance = (bytes: Buffer, at: number): number | null => {
  const id = bytes.readUInt32LE(at);
  return id === noInstance ? null : id;
};

const u64 = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));

const cString = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
};
