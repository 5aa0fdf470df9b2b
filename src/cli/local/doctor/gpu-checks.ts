/** Cards, driver, device nodes: what engines need of the machine's GPUs. */
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isCause } from '../../../cause.ts';
import { findingOf } from '../../../gpu/finding.ts';
import { findNvidiaDisplays, type PciFinding } from '../../../gpu/pci.ts';
import { driverSpelling } from '../../../gpu/pci-address.ts';
import type { Cause, GpuFact, Inventory } from '../../../machines/vocabulary.ts';
import { type Check, fail, inWords, ok, unknown, warn } from './check.ts';

export interface GpuPlaces {
  readonly pciDevices: string;
  /** `/dev` and `/proc`; others are for tests. */
  readonly dev: string;
  readonly proc: string;
}

/** `read`: what the driver says of its cards, or why it cannot be asked. */
export const gpuChecks = async (read: Inventory | Cause, places: GpuPlaces): Promise<readonly Check[]> => {
  const bus = await findNvidiaDisplays(places.pciDevices);
  const nodes = await nodeChecks(places, isCause(read) ? 0 : read.gpus.length);
  if (isCause(read)) return [busCheck(bus), fail('driver', 'it cannot be asked', read.message), ...nodes];
  return [
    busCheck(bus),
    ok('driver', `${read.driverVersion ?? 'unknown version'}, CUDA ${read.cudaVersion ?? 'unknown'}`),
    await moduleCheck(read, places),
    ...unlisted(bus, read),
    ...read.gpus.map((gpu) => cardCheck(gpu, read)),
    ...persistence(read.gpus),
    ...(read.remarks ?? []).map((remark) => warn('driver says', remark, 'see the kernel log (dmesg | grep NVRM)')),
    ...nodes,
  ];
};

const busCheck = ({ nvidiaDisplays, root, devices }: PciFinding): Check => {
  if (devices === null) return unknown('PCI bus', `${root} cannot be read`);
  if (nvidiaDisplays.length > 0) return ok('PCI bus', `${nvidiaDisplays.length} NVIDIA GPU${nvidiaDisplays.length === 1 ? '' : 's'}`);
  return fail(
    'PCI bus',
    `no NVIDIA GPU among ${devices} devices in ${root}`,
    'run it on a machine with one; in a virtual machine pass the GPU through',
  );
};

/** Some may be meant for others, as in a container or by vfio. */
const unlisted = ({ nvidiaDisplays }: PciFinding, { gpus }: Inventory): readonly Check[] =>
  nvidiaDisplays
    .filter((address) => !gpus.some((gpu) => driverSpelling(gpu.pciAddress) === driverSpelling(address)))
    .map((address) =>
      warn(
        `GPU at ${address}`,
        'on the bus, but the driver does not list it',
        `if it is meant for this machine: see why in the kernel log (dmesg | grep ${address})`,
      ),
    );

const cardCheck = (gpu: GpuFact, inventory: Inventory): Check => {
  const name = `GPU ${gpu.index}`;
  const finding = findingOf(gpu, inventory);
  if (finding.kind !== 'sound') return fail(name, finding.cause.code, finding.cause.message);
  if (gpu.deep?.remappedRows.pending === true || gpu.deep?.retiredPages.pending === true)
    return warn(
      name,
      `${gpu.name}, faulty memory is taken out of use at the next reset`,
      `nvidia-smi --gpu-reset -i ${gpu.index}, when nothing uses it`,
    );
  if ((gpu.deep?.ecc.uncorrected ?? 0) > 0)
    return warn(
      name,
      `${gpu.name}, ${gpu.deep?.ecc.uncorrected} memory errors that could not be corrected`,
      'watch it, and reset it when nothing uses it',
    );
  return ok(name, `${gpu.name}, ${gpu.uuid}`);
};

const persistence = (gpus: readonly GpuFact[]): readonly Check[] => {
  const known = gpus.filter(({ deep }) => deep?.persistenceMode != null);
  if (known.length === 0) return [unknown('persistence', 'the driver does not tell')];
  const off = known.filter(({ deep }) => deep?.persistenceMode === false).map(({ index }) => index);
  return [
    off.length === 0
      ? ok('persistence', 'on')
      : warn(
          'persistence',
          `off on GPU ${off.join(', ')}: the driver unloads the card between two uses, which takes seconds`,
          'systemctl enable --now nvidia-persistenced, or nvidia-smi -pm 1',
        ),
  ];
};

/** The module that runs and the libraries that speak to it. */
const moduleCheck = async ({ driverVersion }: Inventory, { proc }: GpuPlaces): Promise<Check> => {
  const file = join(proc, 'driver/nvidia/version');
  const text = await readFile(file, 'utf8').catch(() => null);
  const loaded = /\b(\d{3,}\.\d+(?:\.\d+)?)\b/.exec(text ?? '')?.[1] ?? null;
  if (loaded === null || driverVersion === null) return unknown('kernel module', `${file} does not tell its version`);
  if (loaded === driverVersion) return ok('kernel module', loaded);
  return fail('kernel module', `${loaded} is loaded, the libraries are ${driverVersion}`, 'reboot, or unload and load the nvidia modules');
};

const nodeChecks = async ({ dev }: GpuPlaces, cards: number): Promise<readonly Check[]> => {
  const names = ['nvidiactl', 'nvidia-uvm', ...Array.from({ length: cards }, (_, index) => `nvidia${index}`)];
  return Promise.all(names.map((name) => nodeCheck(join(dev, name), name)));
};

const nodeCheck = async (path: string, name: string): Promise<Check> => {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    return ok(path, 'may be opened');
  } catch (thrown) {
    const isMissing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    if (!isMissing) return fail(path, inWords(thrown), 'add this user to the group of the file (ls -l), or under systemd allow it: DeviceAllow=');
    const todo =
      name === 'nvidia-uvm'
        ? 'nvidia-modprobe -c0 -u as root, at each boot, or nvidia-persistenced; CUDA does not start without it'
        : 'load the driver: modprobe nvidia; nvidia-modprobe makes the files';
    return fail(path, 'is not there', todo);
  }
};
