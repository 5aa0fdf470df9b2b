/** Asks the hub what is in a repository at a revision: which commit that is, and each file with its size and digest. */
import * as v from 'valibot';
import { CauseError } from '../../cause.ts';
import { Interrupted, refusedBy, shownUrl } from '../fetch/failures.ts';
import { get } from '../fetch/request.ts';
import type { Digest } from '../jobs/job.ts';
import { isPlainPath } from '../models/reference.ts';
import type { HubSettings } from './settings.ts';

export interface RepositoryFile {
  readonly path: string;
  readonly bytes: number;
  readonly digest: Digest;
}

export interface Repository {
  readonly repo: string;
  readonly commit: string;
  readonly files: readonly RepositoryFile[];
}

const deadlineMs = 30_000;
/** Of a repository with ten thousand files. */
const mostBytes = 8 * 1024 * 1024;
const hex = (length: number) => v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${length}}$`)));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const schema = v.object({
  sha: hex(40),
  siblings: v.array(
    v.object({
      rfilename: v.string(),
      size: v.nullish(count),
      blobId: v.nullish(hex(40)),
      lfs: v.nullish(v.object({ sha256: hex(64), size: count })),
    }),
  ),
});

export const authorization = (token: string | null): Readonly<Record<string, string>> => (token === null ? {} : { authorization: `Bearer ${token}` });

export const askRepository = async (hub: HubSettings, repo: string, revision: string): Promise<Repository> => {
  const url = `${hub.endpoint()}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const token = await hub.token();
  const parsed = v.safeParse(schema, await askJson(url, token, `${repo}@${revision}`));
  if (!parsed.success) {
    throw new CauseError({
      code: 'download_failed',
      message: `expected ${shownUrl(url)} to list the files of ${repo}, found ${parsed.issues[0].message}`,
    });
  }
  const files = parsed.output.siblings.flatMap(({ rfilename, size, blobId, lfs }): RepositoryFile[] => {
    if (!isPlainPath(rfilename)) return [];
    if (lfs) return [{ path: rfilename, bytes: lfs.size, digest: { algorithm: 'sha256', hex: lfs.sha256 } }];
    return blobId && typeof size === 'number' ? [{ path: rfilename, bytes: size, digest: { algorithm: 'git-sha1', hex: blobId } }] : [];
  });
  return { repo, commit: parsed.output.sha, files };
};

const askJson = async (url: string, token: string | null, what: string): Promise<unknown> => {
  const { response } = await get(url, { headers: { accept: 'application/json' }, credentials: authorization(token), deadlineMs }).catch(asCause);
  const deadline = setTimeout(() => response.destroy(new Error(`no end within ${deadlineMs} ms`)), deadlineMs);
  try {
    const status = response.statusCode ?? 0;
    if (status !== 200) throw refused(status, url, what, token);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response) {
      bytes += chunk.length;
      if (bytes > mostBytes) throw new Error(`more than ${mostBytes} bytes`);
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (thrown) {
    if (thrown instanceof CauseError) throw thrown;
    throw new CauseError({
      code: 'download_failed',
      message: `expected ${shownUrl(url)} to list files as JSON, found ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    });
  } finally {
    clearTimeout(deadline);
    response.destroy();
  }
};

/** A hub says 401 also of what is not there, so as not to tell what there is. */
const refused = (status: number, url: string, what: string, token: string | null): CauseError => {
  const found = refusedBy(status, url, 'model_missing');
  if (status === 401 || status === 403) {
    return new CauseError({
      code: 'download_unauthorized',
      message: `expected ${what} to be readable ${token === null ? 'without a token' : 'with the token that there is'}, found HTTP ${status}: there is no such repository, or it needs ${token === null ? 'HF_TOKEN' : 'another HF_TOKEN, or its terms accepted'}`,
      details: { status },
    });
  }
  return found instanceof CauseError ? found : asReason(found);
};

const asReason = (interrupted: Interrupted): CauseError => new CauseError({ code: interrupted.code, message: interrupted.message });

const asCause = (thrown: unknown): never => {
  throw thrown instanceof Interrupted ? asReason(thrown) : thrown;
};
