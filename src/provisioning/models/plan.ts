/** What has to be fetched for a model, file by file, and where each goes. */
import { join } from 'node:path';
import { shardsOf } from '../../gpu/estimate/read-shape.ts';
import { shownUrl } from '../fetch/failures.ts';
import type { Digest } from '../jobs/job.ts';
import { fileNameOf, type StorePaths, shortHash } from '../store/paths.ts';
import type { Asked } from './record.ts';

export interface PlannedFile {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly digest: Digest | null;
  readonly bytes: number | null;
  readonly part: string;
  /** Where it appears, by a rename, once it is verified. */
  readonly final: string;
  /** Who may write the part. */
  readonly lock: string;
  /** A second name for it that is made then; null: none. */
  readonly link: { readonly path: string; readonly target: string } | null;
}

export interface ModelPlan {
  readonly key: string;
  readonly reference: string;
  readonly revision: string | null;
  readonly path: string;
  readonly files: readonly PlannedFile[];
  /** Of a hub: what the key is made from; null: of a URL. */
  readonly asked: Asked | null;
  /** A file that names the commit of a branch, written at the end; null: none. */
  readonly ref: { readonly path: string; readonly text: string } | null;
}

/** Of a URL, the key: what is pinned is the same wherever it comes from. */
export const urlKey = (url: string, checksum: string | null): string =>
  checksum === null ? `url-${shortHash(url)}` : `${checksum.replace(':', '-').slice(0, 'sha256-'.length + 32)}`;

export const planUrl = (paths: StorePaths, url: string, checksum: string | null): ModelPlan => {
  const key = urlKey(url, checksum);
  const dir = join(paths.models, key);
  const name = fileNameOf(new URL(url), 'model');
  const names = checksum === null ? shardsOf(name) : [name];
  const files = names.map(
    (each, index): PlannedFile => ({
      url: index === 0 && names.length === 1 ? url : new URL(encodeURIComponent(each), url).href,
      headers: {},
      digest: checksum === null ? null : { algorithm: 'sha256', hex: checksum.slice('sha256:'.length) },
      bytes: null,
      part: join(paths.parts, `${key}-${index}`),
      final: join(dir, each),
      lock: join(paths.locks, `file-${shortHash(join(dir, each))}.lock`),
      link: null,
    }),
  );
  return { key, reference: shownUrl(url), revision: null, path: join(dir, names[0] ?? name), files, asked: null, ref: null };
};
