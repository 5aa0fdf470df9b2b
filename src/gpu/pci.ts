/**
 * Which NVIDIA display devices the PCI bus carries, driver or no driver: whether there is any GPU to wait for.
 *
 * Reads `/sys/bus/pci/devices/<address>/{vendor,class}`; no driver, no tool and no device is touched.
 */
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface PciFinding {
  /** Where was looked. */
  readonly root: string;
  /** Addresses of NVIDIA display devices, `0000:3b:00.0`. */
  readonly nvidiaDisplays: readonly string[];
  /** Devices of any kind on the bus; null: the folder could not be read. */
  readonly devices: number | null;
  /** WSL's way to a GPU, which is no PCI device: path, when it is there. */
  readonly wslDevice: string | null;
}

/** PCI vendor 10de; base class 03: VGA (0300), 3D (0302) and other display controllers. */
const nvidia = '0x10de';
const display = '0x03';

export const findNvidiaDisplays = async (root = '/sys/bus/pci/devices', wslDevice = '/dev/dxg'): Promise<PciFinding> => {
  const wsl = await exists(wslDevice);
  const addresses = await readdir(root).catch(() => null);
  const judged = await Promise.all((addresses ?? []).map(async (address) => ({ address, found: await isNvidiaDisplay(join(root, address)) })));
  return {
    root,
    nvidiaDisplays: judged
      .filter(({ found }) => found)
      .map(({ address }) => address)
      .sort(),
    devices: addresses?.length ?? null,
    wslDevice: wsl ? wslDevice : null,
  };
};

const isNvidiaDisplay = async (device: string): Promise<boolean> =>
  (await read(join(device, 'vendor'))) === nvidia && (await read(join(device, 'class'))).startsWith(display);

/** A device that went away while it was looked at is none. */
const read = (file: string): Promise<string> =>
  readFile(file, 'utf8').then(
    (text) => text.trim().toLowerCase(),
    () => '',
  );

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
