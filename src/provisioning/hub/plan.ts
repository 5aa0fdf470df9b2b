/** Where the files of a repository go: the cache layout that Hugging Face's own tools share, so that either finds what the other fetched. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { shardsOf } from '../../gpu/estimate/read-shape.ts';
import type { ModelPlan, PlannedFile } from '../models/plan.ts';
import type { Asked } from '../models/record.ts';
import { shortHash } from '../store/paths.ts';
import type { Choice } from './choose.ts';
import { authorization, type Repository } from './repository.ts';

const folderOf = (hubDir: string, repo: string): string => join(hubDir, `models--${repo.replace('/', '--')}`);

export interface HubPlaces {
  readonly snapshot: string;
  /** A file by the digest that the hub names it by. */
  blob(hex: string): string;
  /** Its name in the snapshot, and where that leads. */
  link(hex: string, path: string): { readonly path: string; readonly target: string };
  /** The very lock that Hugging Face's tools take, by the same call of the kernel. */
  lock(hex: string): string;
  /** Says which commit a branch was. */
  ref(revision: string): string;
}

export const hubPlaces = (hubDir: string, repo: string, commit: string): HubPlaces => {
  const folder = folderOf(hubDir, repo);
  const snapshot = join(folder, 'snapshots', commit);
  const blob = (hex: string): string => join(folder, 'blobs', hex);
  return {
    snapshot,
    blob,
    link: (hex, path) => {
      const link = join(snapshot, path);
      return { path: link, target: relative(dirname(link), blob(hex)) };
    },
    lock: (hex) => join(hubDir, '.locks', `models--${repo.replace('/', '--')}`, `${hex}.lock`),
    ref: (revision) => join(folder, 'refs', revision),
  };
};

/** Of what was asked for, not of what it was found to be: so it is found again without asking. */
export const hubKey = (hubDir: string, { repo, file, revision, quant, form }: Asked): string =>
  `hub-${shortHash(JSON.stringify([hubDir, { repo, file, revision, quant, form }]))}`;

interface Planned {
  readonly asked: Asked;
  readonly hubDir: string;
  readonly endpoint: string;
  readonly token: string | null;
  readonly reference: string;
}

export const planHub = (repository: Repository, choice: Choice, { asked, hubDir, endpoint, token, reference }: Planned): ModelPlan => {
  const { repo, commit } = repository;
  const places = hubPlaces(hubDir, repo, commit);
  const files = choice.files.map(({ path, bytes, digest }): PlannedFile => {
    const blob = places.blob(digest.hex);
    return {
      url: `${endpoint}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`,
      headers: authorization(token),
      digest,
      bytes,
      part: `${blob}.incomplete`,
      final: blob,
      lock: places.lock(digest.hex),
      link: places.link(digest.hex, path),
    };
  });
  const ref = asked.revision === commit ? null : { path: places.ref(asked.revision), text: commit };
  const path = choice.main === null ? places.snapshot : join(places.snapshot, choice.main);
  return { key: hubKey(hubDir, asked), reference, revision: commit, path, files, asked, ref };
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
