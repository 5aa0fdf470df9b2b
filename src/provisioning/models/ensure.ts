/**
 * Makes a planned model present: one file after the other, each verified before it has its final name. Whoever comes second,
 * in this process or in another, waits for the first and finds everything there.
 */
import { mkdir, rename, stat, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDir, writeFileAtomically } from '../../os/atomic-file.ts';
import { bootId } from '../../os/boot-id.ts';
import { shownUrl, storeFailed } from '../fetch/failures.ts';
import { noteOf } from '../fetch/part.ts';
import { usualWidening } from '../fetch/wide.ts';
import type { Downloaded, JobReport, Patience } from '../jobs/job.ts';
import { runJob } from '../jobs/run-job.ts';
import { createFlights, type Passenger } from '../store/flights.ts';
import { withLease } from '../store/lease.ts';
import type { StorePaths } from '../store/paths.ts';
import { appendProvenance } from '../store/provenance.ts';
import type { ModelPlan, PlannedFile } from './plan.ts';
import { type ModelRecord, readRecord, writeRecord } from './record.ts';

export const usualPatience: Patience = { stallMs: 60_000, tries: 5, firstPauseMs: 500, widening: usualWidening };

/** More than any model has. */
const mostBytes = 8 * 1024 ** 4;

export type EnsureModel = (paths: StorePaths, plan: ModelPlan, passenger: Passenger) => Promise<ModelRecord>;

export const createEnsureModel = (patience: Patience = usualPatience): EnsureModel => {
  const flights = createFlights<ModelRecord>();
  return (paths, plan, passenger) =>
    flights.join(`${paths.root} ${plan.key}`, passenger, (report, signal) => work(paths, plan, patience, report, signal));
};

export const modelLock = ({ locks }: StorePaths, key: string): string => join(locks, `model-${key}.lock`);

/** Null: not there, or not whole. Touches no network. */
export const presentModel = async (dir: string, key: string): Promise<ModelRecord | null> => {
  const record = await readRecord(dir, key);
  if (record === null || !record.complete) return null;
  const sizes = await Promise.all(record.files.map(({ path }) => sizeOf(path)));
  const isNamed = await stat(record.path).catch(() => null);
  return isNamed !== null && record.files.every(({ bytes }, index) => bytes === sizes[index]) ? record : null;
};

const work = async (paths: StorePaths, plan: ModelPlan, patience: Patience, report: JobReport, signal: AbortSignal): Promise<ModelRecord> => {
  const waits = () => void tellOthersProgress(plan, report);
  return withLease(modelLock(paths, plan.key), signal, waits, async () => {
    const present = await presentModel(paths.modelRecords, plan.key);
    return present !== null && present.revision === plan.revision ? present : fetchAll(paths, plan, patience, report, signal);
  });
};

/** Another process is at it: its part file tells how far it is. */
const tellOthersProgress = async (plan: ModelPlan, report: JobReport): Promise<void> => {
  report.phase('fetching');
  const sizes = await Promise.all(plan.files.map(async ({ part, final }) => (await sizeOf(final)) ?? (await sizeOf(part)) ?? 0));
  report.progress(
    sizes.reduce((sum, size) => sum + size, 0),
    sumOrNull(plan.files.map(({ bytes }) => bytes)),
  );
};

const fetchAll = async (paths: StorePaths, plan: ModelPlan, patience: Patience, report: JobReport, signal: AbortSignal): Promise<ModelRecord> => {
  const earlier = await readRecord(paths.modelRecords, plan.key);
  let record: ModelRecord = {
    version: 1,
    key: plan.key,
    reference: plan.reference,
    revision: plan.revision,
    path: plan.path,
    files: [],
    asked: plan.asked,
    complete: false,
    at: '',
  };
  for (const [index, file] of plan.files.entries()) {
    const before = record.files.reduce((sum, { bytes }) => sum + bytes, 0);
    const rest = sumOrNull(plan.files.slice(index + 1).map(({ bytes }) => bytes));
    const shifted: JobReport = {
      phase: report.phase,
      progress: (done, total) => report.progress(before + done, total === null || rest === null ? null : before + total + rest),
    };
    const known = earlier?.files.find(({ path }) => path === file.final) ?? null;
    const waits = () => void tellOthersProgress(plan, report);
    const withFile = (bytes: number, digest: string): ModelRecord => ({
      ...record,
      files: [...record.files, { path: file.final, from: shownUrl(file.url), bytes, digest }],
      at: new Date().toISOString(),
    });
    record = await withLease(file.lock, signal, waits, async () => {
      const there = await sizeOf(file.final);
      if (there !== null && (known?.bytes ?? file.bytes) === there) return withFile(there, known?.digest ?? digestOf(file, null));
      const got = await fetchOne(file, patience, shifted, signal);
      const noted = withFile(got.bytes, digestOf(file, got));
      // Said before it is so: what is said and not there is fetched again, what is there and not said would be too.
      await writeRecord(paths.modelRecords, noted);
      await place(file);
      return noted;
    });
    await linkUp(file);
  }
  const complete = { ...record, complete: true };
  if (plan.ref !== null) await writeRef(plan.ref);
  await writeRecord(paths.modelRecords, complete);
  await appendProvenance(paths.provenance, {
    action: 'fetched',
    what: 'model',
    key: plan.key,
    from: plan.reference,
    revision: plan.revision,
    bytes: complete.files.reduce((sum, { bytes }) => sum + bytes, 0),
    digests: complete.files.map(({ digest }) => digest),
  });
  return complete;
};

const fetchOne = async (file: PlannedFile, patience: Patience, report: JobReport, signal: AbortSignal): Promise<Downloaded> => {
  await mkdir(dirname(file.part), { recursive: true }).catch((thrown: unknown) => {
    throw storeFailed(file.part, thrown);
  });
  const { url, headers, part, digest, bytes } = file;
  return runJob(
    { kind: 'download', url, headers, part, digest, bytes, mostBytes, bootId: bootId(), missing: 'model_missing', patience },
    report,
    signal,
  );
};

const digestOf = ({ digest }: PlannedFile, got: Downloaded | null): string =>
  got !== null ? `sha256:${got.sha256}` : digest === null ? 'unknown' : `${digest.algorithm}:${digest.hex}`;

const place = async ({ part, final }: PlannedFile): Promise<void> => {
  try {
    await mkdir(dirname(final), { recursive: true });
    await rename(part, final);
    await syncDir(dirname(final));
    await unlink(noteOf(part)).catch(ignoreMissing);
  } catch (thrown) {
    throw storeFailed(final, thrown);
  }
};

const linkUp = async ({ link }: PlannedFile): Promise<void> => {
  if (link === null) return;
  try {
    await mkdir(dirname(link.path), { recursive: true });
    await unlink(link.path).catch(ignoreMissing);
    await symlink(link.target, link.path);
    await syncDir(dirname(link.path));
  } catch (thrown) {
    throw storeFailed(link.path, thrown);
  }
};

const writeRef = async ({ path, text }: NonNullable<ModelPlan['ref']>): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomically(path, text, { mode: 0o644 });
};

const ignoreMissing = (thrown: unknown): void => {
  if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) throw thrown;
};

const sizeOf = async (path: string): Promise<number | null> => {
  const found = await stat(path).catch(() => null);
  return found?.isFile() ? found.size : null;
};

const sumOrNull = (parts: readonly (number | null)[]): number | null =>
  parts.reduce<number | null>((sum, part) => (sum === null || part === null ? null : sum + part), 0);
