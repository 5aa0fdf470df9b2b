/** Which hub, as whom, and where its files are kept: from the variables that Hugging Face's own tools read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CauseError } from '../../cause.ts';
import { isLoopbackHost } from '../../loopback.ts';

export interface HubSettings {
  /** Without a slash at its end. Throws CauseError `invalid_spec` where the variable names none. */
  endpoint(): string;
  /** Read anew each time, so that one that was renewed counts; null: there is none. */
  token(): Promise<string | null>;
  /** Null: in the store. */
  readonly cacheDir: string | null;
  readonly offline: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

const officialHub = 'https://huggingface.co';

export const hubSettings = (env: Env, home: string): HubSettings => {
  const set = (...names: readonly string[]): string | null =>
    names.map((name) => env[name]).find((value) => value !== undefined && value !== '') ?? null;
  const tilde = (path: string): string => path.replace(/^~(?=\/|$)/, home);
  const ownHome = set('HF_HOME');
  const usualHome = join(set('XDG_CACHE_HOME') ?? join(home, '.cache'), 'huggingface');
  const tokenFile = set('HF_TOKEN_PATH') ?? join(ownHome ?? usualHome, 'token');
  return {
    endpoint: () => endpointOf(set('HF_ENDPOINT') ?? officialHub),
    token: async () => set('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN') ?? readToken(tilde(tokenFile)),
    cacheDir: ((path) => path && tilde(path))(set('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE') ?? (ownHome === null ? null : join(ownHome, 'hub'))),
    offline: ['1', 'true', 'yes', 'on'].includes((set('HF_HUB_OFFLINE') ?? '').toLowerCase()),
  };
};

const endpointOf = (text: string): string => {
  const url = URL.parse(text);
  const fits =
    url !== null &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))) &&
    url.username === '' &&
    url.search === '';
  if (fits) return url.href.replace(/\/+$/, '');
  throw new CauseError({
    code: 'invalid_spec',
    message: `expected HF_ENDPOINT to be an https URL, since it says which file is the right one, found ${JSON.stringify(url === null ? text : url.origin)}`,
  });
};

/** A file that cannot be read is no token: what needs one will say so. */
const readToken = async (file: string): Promise<string | null> => {
  try {
    const token = (await readFile(file, 'utf8')).trim();
    return /^[!-~]{1,4096}$/.test(token) ? token : null;
  } catch {
    return null;
  }
};
