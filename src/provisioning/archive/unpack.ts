/**
 * Unpacks what was fetched into a folder of our own: tar (gzip, zstd or plain), zip, or a bare program, told by how it begins; a folder is
 * copied by the same rules.
 */
import { constants, createReadStream } from 'node:fs';
import { chmod, mkdir, open } from 'node:fs/promises';
import { diskFull, isDiskFull } from '../fetch/failures.ts';
import { nowAndThen } from '../fetch/now-and-then.ts';
import type { JobReport, UnpackJob } from '../jobs/job.ts';
import { refuse } from './entry.ts';
import { readFolder } from './read-folder.ts';
import { type Packing, readTar } from './read-tar.ts';
import { readZip } from './read-zip.ts';
import { openStage, type Staged } from './stage.ts';

type Form = { readonly kind: 'tar'; readonly packing: Packing } | { readonly kind: 'zip' | 'program' | 'folder' };

export const unpack = async ({ archive, into, program, limits }: UnpackJob, report: JobReport): Promise<Staged> => {
  report.phase('building');
  try {
    await mkdir(into, { mode: 0o700 });
    const { form, bytes } = await look(archive);
    const stage = openStage(
      into,
      limits,
      nowAndThen((done) => report.progress(done, null)),
    );
    switch (form.kind) {
      case 'tar':
        await readTar(createReadStream(archive), form.packing, bytes, limits, stage.put);
        break;
      case 'zip':
        await readZip(archive, bytes, limits, stage.put);
        break;
      case 'folder':
        await readFolder(archive, stage.put);
        break;
      case 'program':
        await stage.put({ kind: 'file', path: program, isExecutable: true, body: createReadStream(archive) });
    }
    const staged = await stage.finish();
    await chmod(into, 0o755);
    return staged;
  } catch (thrown) {
    if (isDiskFull(thrown)) throw diskFull(into, 'found the disk full while unpacking; nothing of it was kept');
    throw thrown;
  }
};

const look = async (archive: string): Promise<{ readonly form: Form; readonly bytes: number }> => {
  const handle = await open(archive, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const facts = await handle.stat();
    if (facts.isDirectory()) return { form: { kind: 'folder' }, bytes: 0 };
    const { buffer } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    return { form: formOf(buffer), bytes: facts.size };
  } finally {
    await handle.close();
  }
};

const begins = (bytes: Buffer, ...expected: readonly number[]): boolean => expected.every((byte, index) => bytes[index] === byte);

const formOf = (head: Buffer): Form => {
  if (begins(head, 0x1f, 0x8b)) return { kind: 'tar', packing: 'gzip' };
  if (begins(head, 0x28, 0xb5, 0x2f, 0xfd)) return { kind: 'tar', packing: 'zstd' };
  if (begins(head, 0x50, 0x4b, 0x03, 0x04)) return { kind: 'zip' };
  if (head.toString('latin1', 257, 262) === 'ustar') return { kind: 'tar', packing: 'none' };
  if (begins(head, 0x7f, 0x45, 0x4c, 0x46) || begins(head, 0x23, 0x21)) return { kind: 'program' };
  throw refuse('neither tar (gzip, zstd or plain) nor zip nor a program; other packings, such as xz, are not known');
};
