/**
 * Whether the daemon may start here at all (exit 69 otherwise): not without an NVIDIA display device on the PCI bus, unless an
 * engine of ours is alive. A driver that is late or sick is no reason to refuse.
 *
 * Pure. Simulated cards need no device: their rule is never asked.
 */
import type { PciFinding } from './pci.ts';

/** EX_UNAVAILABLE of sysexits.h. */
export const noGpuExitCode = 69;

/** The message to refuse with, or null: start. `liveRuns`: run records whose engine is alive. */
export const refuseWithoutGpu = (pci: PciFinding, liveRuns: number): string | null => {
  if (pci.nvidiaDisplays.length > 0 || liveRuns > 0) return null;
  const found = pci.devices === null ? 'that folder cannot be read' : `none of the ${pci.devices} devices there is one`;
  return [
    `No NVIDIA GPU: looked for a display device (class 0x03xxxx) of vendor 0x10de in ${pci.root}: ${found}; and no engine of an earlier run is alive.`,
    ...(pci.wslDevice === null ? [] : [`${pci.wslDevice} is there: this is WSL, whose GPU is not on the PCI bus and is not supported.`]),
    'Engines run in GPU memory only, so nothing is started. Run it on a machine with an NVIDIA GPU (in a virtual machine: pass the GPU through), or see it work with simulated GPUs: "pool-managerd demo", in a clone "npm run demo"',
  ].join('\n');
};
