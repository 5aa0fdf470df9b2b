/** Asks the daemon. The token stays in this module's memory: it is in no storage, no address and no cookie. */

let token: string | null = null;

/** A refusal of the daemon, in its words. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const setToken = (given: string | null): void => {
  token = given;
};

export const hasToken = (): boolean => token !== null;

/** @throws Refused, or what `fetch` throws when nobody answers. */
export const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  const response = await fetch(path, { ...init, headers, redirect: 'error' });
  if (response.ok) return response;
  throw new Refused(response.status, await problemIn(response));
};

/** `T` is what the daemon's own API document says: page and daemon are of one version, see the entity tags of the files. */
export const get = async <T>(path: string): Promise<T> => (await request(path)).json() as Promise<T>;

export const order = async (method: 'POST' | 'DELETE', path: string, body: object = {}): Promise<unknown> => {
  const init = method === 'POST' ? { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : { method };
  return (await request(path, init)).json();
};

export const poolPath = (id: string, rest = ''): string => `/v2/pools/${encodeURIComponent(id)}${rest}`;

const problemIn = async (response: Response): Promise<string> => {
  try {
    const body: unknown = await response.json();
    const message: unknown = Object(body).message;
    const mistakes: unknown = Object(Object(body).details).mistakes;
    const lines = Array.isArray(mistakes) ? mistakes.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))) : [];
    if (typeof message === 'string') return [message, ...lines].join('\n');
  } catch {
    // No JSON: then the status is all there is.
  }
  return `the daemon answered ${response.status} ${response.statusText}`;
};
