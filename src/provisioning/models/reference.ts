/** What a model reference names: a path, a URL, or files of a repository on a hub. Pure; looks at nothing. */
import { fileURLToPath } from 'node:url';
import { CauseError } from '../../cause.ts';
import { isLoopbackHost } from '../../loopback.ts';
import { shownUrl } from '../fetch/failures.ts';

export type Reference =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'hub'; readonly repo: string; readonly file: string | null; readonly revision: string };

/** A scheme of two letters or more: `hf:org/name`, `https://…`. */
const scheme = /^([a-z][a-z0-9+.-]+):/i;

/** `hasChecksum`: what comes is verified against the pools file, so that nobody on the way has to be trusted. */
export const parseReference = (reference: string, hasChecksum: boolean): Reference => {
  switch (scheme.exec(reference)?.[1]?.toLowerCase()) {
    case undefined:
      return { kind: 'path', path: reference };
    case 'file':
      return { kind: 'path', path: pathOf(reference) };
    case 'http':
    case 'https':
      return { kind: 'url', url: urlOf(reference, hasChecksum) };
    case 'hf':
      return hubOf(reference);
    default:
      throw invalid('a path, file:/…, https://… or hf:org/repo', reference);
  }
};

const pathOf = (reference: string): string => {
  try {
    return fileURLToPath(reference);
  } catch (thrown) {
    throw new CauseError({
      code: 'model_missing',
      message: `expected file:/ and an absolute path, found ${JSON.stringify(reference)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    });
  }
};

const urlOf = (reference: string, hasChecksum: boolean): string => {
  const url = URL.parse(reference);
  if (url === null || url.username !== '' || url.password !== '')
    throw invalid('a URL without user name and password', url === null ? reference : shownUrl(url));
  if (url.protocol === 'http:' && !hasChecksum && !isLoopbackHost(url.hostname)) {
    throw invalid('https://…, or a checksum in `model_source`, since over http anybody on the way may change the file', shownUrl(url));
  }
  url.hash = '';
  return url.href;
};

const repoPattern = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;
const revisionPattern = /^[A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)*$/;

/** `hf:org/repo[/folder/file][@revision]` */
const hubOf = (reference: string): Reference => {
  const rest = reference.slice('hf:'.length);
  const at = rest.lastIndexOf('@');
  const [named, revision] = at === -1 ? [rest, 'main'] : [rest.slice(0, at), rest.slice(at + 1)];
  const [org = '', name = '', ...folders] = named.split('/');
  const repo = `${org}/${name}`;
  const file = folders.length === 0 ? null : folders.join('/');
  if (
    !repoPattern.test(repo) ||
    repo.includes('..') ||
    repo.includes('--') ||
    !revisionPattern.test(revision) ||
    revision.length > 200 ||
    (file !== null && !isPlainPath(file))
  )
    throw invalid('hf:org/repo, hf:org/repo/file or either with @revision', reference);
  return { kind: 'hub', repo, file, revision };
};

/** Of a file below a folder: no way out of it, nothing that hides. */
export const isPlainPath = (path: string): boolean =>
  path.length <= 1_000 && path.split('/').every((part) => /^[\w+=@()[\] .-]{1,255}$/.test(part) && !/^\.+$/.test(part));

const invalid = (expected: string, found: string): CauseError =>
  new CauseError({ code: 'invalid_spec', message: `expected the model to be ${expected}, found ${JSON.stringify(found)}; correct \`model\`` });
