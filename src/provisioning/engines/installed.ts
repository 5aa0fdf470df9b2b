/** Whether an installation is what it was when it was tested, and what a pool is told of it. */
import { join } from 'node:path';
import type { EnginePresent } from '../../machines/vocabulary.ts';
import type { SelfTested } from '../self-test/self-test.ts';
import { type EngineRecord, filesDir, identityOf, readEngineRecord } from './record.ts';

export const presentOf = (dir: string, { executable, engineVersion, knownFlags }: EngineRecord): EnginePresent => ({
  executable: join(filesDir(dir), executable),
  version: engineVersion,
  knownFlags,
});

/** Null: not there, not shown to have CUDA, or written to since. */
export const intact = async (dir: string, simulated: boolean): Promise<EngineRecord | null> => {
  const record = await readEngineRecord(dir);
  if (record === null || (!simulated && record.devices !== null && !record.hasCuda)) return null;
  const found = await Promise.all(record.files.map(({ path }) => identityOf(join(filesDir(dir), path))));
  return record.files.every(({ identity }, index) => identity === found[index]) ? record : null;
};

export const tested = ({ version, knownFlags, devices, tokenMs }: SelfTested, simulated: boolean) => ({
  engineVersion: version,
  knownFlags: knownFlags === null ? null : [...knownFlags],
  devices: devices === null ? null : [...devices],
  tokenMs,
  hasCuda: !simulated && devices !== null,
});

export const identified = async <F extends { readonly path: string }>(dir: string, files: readonly F[]) =>
  Promise.all(files.map(async (file) => ({ ...file, identity: (await identityOf(join(dir, file.path))) ?? '' })));
