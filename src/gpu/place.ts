/**
 * Where a card is in the machine: the CPUs that are nearest to it, and their memory, as the kernel says of its PCI device
 * (`local_cpulist`, `numa_node`). It does not change while the machine runs, so that it is read once.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GpuPlace, Inventory } from '../machines/vocabulary.ts';

/** `address`: as the driver writes it, `00000000:3B:00.0`. Null: not known. */
export type PlaceOf = (address: string) => GpuPlace | null;

export const placesIn = (pciDevices: string): PlaceOf => {
  const known = new Map<string, GpuPlace>();
  return (address) => {
    const before = known.get(address);
    if (before !== undefined) return before;
    const device = join(pciDevices, sysfsSpelling(address));
    const [cpus, node] = [read(join(device, 'local_cpulist')), read(join(device, 'numa_node'))];
    if (cpus === null || cpusIn(cpus) === null) return null;
    // -1: a machine with one memory.
    const place = { cpus, numaNode: node === null || !/^\d+$/.test(node) ? null : Number(node) };
    known.set(address, place);
    return place;
  };
};

export const withPlaces = (inventory: Inventory, placeOf: PlaceOf | undefined): Inventory =>
  placeOf === undefined
    ? inventory
    : { ...inventory, gpus: inventory.gpus.map((gpu) => ({ ...gpu, place: gpu.pciAddress === null ? null : placeOf(gpu.pciAddress) })) };

/** `0-15,32-47` of several cards together; null: of one of them it is not known. */
export const cpusOfAll = (places: readonly (GpuPlace | null)[]): readonly number[] | null => {
  const all = places.map((place) => (place === null ? null : cpusIn(place.cpus)));
  if (all.length === 0 || all.includes(null)) return null;
  return [...new Set(all.flatMap((cpus) => cpus ?? []))].sort((one, other) => one - other);
};

const mostCpus = 4096;

/** A list as the kernel writes it; null: it is none, or names no CPU. */
const cpusIn = (list: string): readonly number[] | null => {
  const cpus: number[] = [];
  for (const part of list.split(',')) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    if (first === undefined || Number(first) > Number(last) || Number(last) >= mostCpus) return null;
    for (let cpu = Number(first); cpu <= Number(last); cpu += 1) cpus.push(cpu);
  }
  return cpus;
};

/** Domains beyond four digits are written with as many as they need. */
const sysfsSpelling = (address: string): string => address.toLowerCase().replace(/^0{4}(?=[0-9a-f]{4}:)/, '');

const read = (file: string): string | null => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
};
