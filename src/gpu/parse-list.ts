/**
 * `nvidia-smi -L` → the MIG UUIDs of each card. It is the only output that names them; sizes are in `-q -x`.
 *
 * Pure. Lines that name no card and no slice are remarks of the tool and are left to the other queries.
 */

export interface ListedSlice {
  readonly gpuUuid: string;
  /** `Device 0`: joins with `<mig_device><index>`. */
  readonly device: number;
  readonly profile: string;
  readonly uuid: string;
}

export const parseList = (output: string): readonly ListedSlice[] => {
  const slices: ListedSlice[] = [];
  let gpuUuid: string | null = null;
  for (const line of output.split('\n')) {
    gpuUuid = /^GPU \d+: .*\(UUID: (GPU-[^)]+)\)/.exec(line)?.[1] ?? gpuUuid;
    const slice = /^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[^)]+)\)/.exec(line);
    const [, profile, device, uuid] = slice ?? [];
    if (gpuUuid !== null && profile !== undefined && device !== undefined && uuid !== undefined) {
      slices.push({ gpuUuid, device: Number(device), profile, uuid });
    }
  }
  return slices;
};
