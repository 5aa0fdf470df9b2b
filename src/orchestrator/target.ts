/** Where orchestratord is and whether it may be spoken to: no token crosses a network in the clear unless that was asked for. */
import { isLoopbackHost } from '../loopback.ts';

export interface Orchestrator {
  /** ORCHESTRATORD_URL; a path in it is kept as a prefix. */
  readonly url: string;
  /** Bearer token, read at every call; null: none is sent. */
  readonly token: () => string | null;
  /** How it is spoken to; absent: by Node's fetch, with its authorities. */
  readonly fetch?: OrchestratorFetch;
  /** Plain http to hosts other than this one is allowed. */
  readonly allowInsecure: boolean;
}

export type OrchestratorFetch = (
  url: URL,
  init: {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string | null;
    readonly redirect: 'manual';
    readonly signal: AbortSignal;
  },
) => Promise<Response>;

/** What is wrong with the address, as a sentence with the way out; null: nothing. */
export const addressProblem = ({ url, allowInsecure }: Pick<Orchestrator, 'url' | 'allowInsecure'>): string | null => {
  if (!URL.canParse(url)) return `ORCHESTRATORD_URL: expected a URL such as https://orchestrator:8080, found ${quoted(url)}`;
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '')
    return 'ORCHESTRATORD_URL: expected no user name or password in it; the token belongs into LLORCH_API_TOKEN';
  if (protocol === 'https:') return null;
  if (protocol !== 'http:') return `ORCHESTRATORD_URL: expected https: or http:, found ${protocol}`;
  if (isLoopbackHost(hostname) || allowInsecure) return null;
  return `ORCHESTRATORD_URL: expected https for ${hostname}, which is not this machine; plain http would show the token to the network`;
};

/** What is no URL may still hold a password. */
const quoted = (text: string): string => (text.includes('@') ? 'something that is none' : `"${text}"`);

export const endpointOf = ({ url }: Pick<Orchestrator, 'url'>, path: string): URL => new URL(path, url.endsWith('/') ? url : `${url}/`);
