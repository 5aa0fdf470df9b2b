/**
 * Which `Host` and `Origin` a request may carry: the defence against DNS rebinding and against pages of other sites.
 *
 * A host counts by its name; ports are free, since tunnels change them. An IP address as a host cannot be rebound, so on a
 * bind that others reach every address is accepted; on a loopback bind only loopback.
 */
import { isIP } from 'node:net';
import { isLoopbackHost } from '../../loopback.ts';

export interface HostRules {
  accepts(host: string | undefined): boolean;
  /** Our own: the page that this very daemon served. */
  acceptsOrigin(origin: string, host: string): boolean;
}

export interface HostRulesOptions {
  readonly bind: { readonly host: string; readonly loopback: boolean };
  readonly names: readonly string[];
}

/** Spellings that were accepted are remembered; there are few. */
const remembered = 64;

export const createHostRules = ({ bind, names }: HostRulesOptions): HostRules => {
  const known = new Set([bind.host, ...names].map((name) => normal(hostnameOf(name) ?? name)));
  const accepted = new Set<string>();
  const judge = (host: string): boolean => {
    const name = hostnameOf(host);
    if (name === null) return false;
    if (isLoopbackHost(name) || known.has(normal(name))) return true;
    return !bind.loopback && isIP(name) !== 0;
  };
  return {
    accepts: (host) => {
      if (host === undefined) return false;
      if (accepted.has(host)) return true;
      if (!judge(host)) return false;
      if (accepted.size < remembered) accepted.add(host);
      return true;
    },
    // Either scheme: a proxy that ends TLS passes the Host on.
    acceptsOrigin: (origin, host) => {
      const own = normal(host);
      return normal(origin) === `http://${own}` || normal(origin) === `https://${own}`;
    },
  };
};

/** The name without its port; IPv6 without its brackets. Null: no host at all. */
const hostnameOf = (host: string): string | null => {
  const [, v6, name] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(host) ?? [];
  return v6 ?? name?.replace(/\.$/, '').toLowerCase() ?? null;
};

const normal = (text: string): string => text.toLowerCase();
