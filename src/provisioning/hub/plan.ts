/** Where the files of a repository go: the cache layout that Hugging Face's own tools share, so that either finds what the other fetched. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { shardsOf } from '../../gpu/estimate/read-shape.ts';
import type { ModelPlan, PlannedFile } from '../models/plan.ts';
import { shortHash } from '../store/paths.ts';
import type { Choice } from './choose.ts';
import { authorization, type Repository } from './repository.ts';

const folderOf = (hubDir: string, repo: string): string => join(hubDir, `models--${repo.replace('/', '--')}`);

/** Of what was asked for, not of what it was found to be: so it is found again without asking. */
export const hubKey = (hubDir: string, asked: Readonly<Record<string, string | null>>): string => `hub-${shortHash(JSON.stringify([hubDir, asked]))}`;

interface Planned {
  readonly key: string;
  readonly hubDir: string;
  readonly endpoint: string;
  readonly token: string | null;
  readonly revision: string;
  readonly reference: string;
}

export const planHub = (repository: Repository, choice: Choice, { key, hubDir, endpoint, token, revision, reference }: Planned): ModelPlan => {
  const { repo, commit } = repository;
  const folder = folderOf(hubDir, repo);
  const snapshot = join(folder, 'snapshots', commit);
  const files = choice.files.map(({ path, bytes, digest }): PlannedFile => {
    const blob = join(folder, 'blobs', digest.hex);
    const link = join(snapshot, path);
    return {
      url: `${endpoint}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`,
      headers: authorization(token),
      digest,
      bytes,
      part: `${blob}.incomplete`,
      final: blob,
      // The very lock that Hugging Face's tools take, by the same call of the kernel.
      lock: join(hubDir, '.locks', `models--${repo.replace('/', '--')}`, `${digest.hex}.lock`),
      link: { path: link, target: relative(dirname(link), blob) },
    };
  });
  const ref = revision === commit ? null : { path: join(folder, 'refs', revision), text: commit };
  return { key, reference, revision: commit, path: choice.main === null ? snapshot : join(snapshot, choice.main), files, ref };
};

/** One file that another tool fetched, shards included; null: it did not, or not all. Of a folder nobody can tell whether it is whole. */
export const inHubCache = async (hubDir: string, repo: string, revision: string, file: string): Promise<string | null> => {
  const folder = folderOf(hubDir, repo);
  const commit = /^[0-9a-f]{40}$/.test(revision)
    ? revision
    : await readFile(join(folder, 'refs', revision), 'utf8').then(
        (text) => text.trim(),
        () => null,
      );
  if (commit === null || !/^[0-9a-f]{40}$/.test(commit)) return null;
  const path = join(folder, 'snapshots', commit, file);
  const found = await Promise.all(
    shardsOf(path).map((each) =>
      stat(each).then(
        (facts) => facts.isFile(),
        () => false,
      ),
    ),
  );
  return found.every(Boolean) ? path : null;
};
