/**
 * Joins what the queries of nvidia-smi say about each card: its row, its processes, its MIG slices.
 *
 * Pure. Cards are joined by UUID, slices by the device number that `-L` and `-q -x` share.
 */
import type { GpuFact, GpuProcess, MigSlice } from '../machines/vocabulary.ts';
import type { Card, ComputeApp } from './parse-csv.ts';
import type { ListedSlice } from './parse-list.ts';
import type { Detail, DetailedGpu } from './parse-xml.ts';

/** Used memory that compute processes leave unexplained, from which on graphics processes are looked for. */
const unexplainedBytes = 256 * 1024 * 1024;

export const wantsDetail = (cards: readonly Card[], facts: readonly GpuFact[]): boolean =>
  cards.some((card) => card.migEnabled) || facts.some((fact) => (fact.memoryUsedBytes ?? 0) - knownUses(fact) > unexplainedBytes);

export const joinFacts = (
  cards: readonly Card[],
  apps: readonly ComputeApp[],
  detail: Detail | null,
  listed: readonly ListedSlice[],
): readonly GpuFact[] =>
  cards.map(({ fact, migEnabled }) => {
    const more = detail?.gpus.find((gpu) => gpu.uuid === fact.uuid);
    const own = apps.filter((app) => app.gpuUuid === fact.uuid).map((app) => app.process);
    return {
      ...fact,
      processes: joinProcesses(own, more?.processes ?? []),
      mig: migEnabled
        ? joinSlices(
            listed.filter((slice) => slice.gpuUuid === fact.uuid),
            more,
          )
        : null,
    };
  });

const knownUses = (fact: GpuFact): number => fact.processes.reduce((sum, process) => sum + (process.usedBytes ?? 0), 0);

/** The detailed list has graphics processes too, and the GPU instance; a process in both counts once. */
const joinProcesses = (apps: readonly GpuProcess[], detailed: readonly GpuProcess[]): GpuProcess[] => [
  ...apps.map((app) => {
    const same = detailed.find(({ pid }) => pid === app.pid);
    return same === undefined ? app : { ...app, usedBytes: app.usedBytes ?? same.usedBytes, gpuInstanceId: same.gpuInstanceId ?? null };
  }),
  ...detailed.filter(({ pid }) => apps.every((app) => app.pid !== pid)),
];

const joinSlices = (listed: readonly ListedSlice[], gpu: DetailedGpu | undefined): MigSlice[] =>
  listed.flatMap(({ uuid, profile, device }) => {
    const found = gpu?.slices.find((slice) => slice.device === device);
    if (found === undefined) return [];
    const { device: _device, ...slice } = found;
    return [{ uuid, profile, ...slice }];
  });
