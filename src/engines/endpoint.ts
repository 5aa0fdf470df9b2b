/**
 * Which URLs may be asked as an engine's endpoint: plain http, a literal loopback address or an allowed host, a port, and
 * nothing else. Pure; nothing is resolved and nothing is connected to.
 *
 * Stricter than the URL standard on purpose: `127.1`, `0x7f.1`, tabs and backslashes are other spellings of something, and
 * nobody writes them by accident.
 */
import { isLoopbackHost } from '../loopback.ts';

export interface EndpointRules {
  /** Hosts besides loopback, as written in URLs, compared without case. */
  readonly allowedHosts: readonly string[];
  /** Ports that are the daemon's own, so that it never probes itself. */
  readonly refusedPorts?: readonly number[];
}

/** `endpoint`: `http://host:port`, no slash; `localhost` has become 127.0.0.1. `problem`: a sentence. */
export type EndpointVerdict = { readonly endpoint: string; readonly problem: null } | { readonly endpoint: null; readonly problem: string };

const written = /^http:\/\/(\[[0-9a-f:]+\]|[a-z0-9.-]+):(\d{1,5})\/?$/i;
const longest = 300;

export const judgeEndpoint = (text: string, rules: EndpointRules): EndpointVerdict => {
  const url = text.length <= longest && URL.canParse(text) ? new URL(text) : null;
  if (url === null) return refuse(text, 'it is not a URL');
  const problem = partsProblem(url);
  if (problem !== null) return refuse(text, problem);
  const parts = written.exec(text);
  if (parts === null || parts[1]?.toLowerCase() !== url.hostname || String(Number(parts[2])) !== parts[2]) {
    return refuse(text, 'it is not written plainly');
  }
  const port = Number(parts[2]);
  if (port < 1 || port > 65_535) return refuse(text, `${port} is not a port`);
  if (rules.refusedPorts?.includes(port) === true) return refuse(text, `port ${port} is this daemon's own`);
  if (!isLoopbackHost(url.hostname) && !rules.allowedHosts.some((host) => host.toLowerCase() === url.hostname)) {
    return refuse(text, `${url.hostname} is neither loopback nor in POOL_MANAGERD_ALLOWED_HOSTS`);
  }
  return { endpoint: `http://${url.hostname === 'localhost' ? '127.0.0.1' : url.hostname}:${port}`, problem: null };
};

const partsProblem = (url: URL): string | null => {
  if (url.protocol !== 'http:') return `engines are asked over http, not ${url.protocol.slice(0, -1)}`;
  if (url.username !== '' || url.password !== '') return 'it carries credentials';
  if (url.search !== '' || url.hash !== '') return 'it carries a query or a fragment';
  if (url.pathname !== '/') return `it carries the path ${url.pathname}`;
  return null;
};

const refuse = (text: string, problem: string): EndpointVerdict => ({
  endpoint: null,
  problem: `expected an endpoint like http://127.0.0.1:8081, found ${JSON.stringify(text.slice(0, 120))}: ${problem}`,
});
