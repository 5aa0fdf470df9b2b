/**
 * Hono's fast router, with its general one for the few paths that the fast one cannot hold beside others:
 * `/v2/nodes/register` and `/v2/nodes/:id/heartbeat`. Hono alone would use the general one for everything then.
 */
import { type Router, UnsupportedPathError } from 'hono/router';
import { RegExpRouter } from 'hono/router/reg-exp-router';
import { TrieRouter } from 'hono/router/trie-router';

export const createRouter = <T>(): Router<T> => {
  const fast = new RegExpRouter<T>();
  const general = new TrieRouter<T>();
  const beyondFast = new Set<string>();
  return {
    name: 'fast, else general',
    add: (method, path, handler) => {
      // It would run for the routes of one router only.
      if (method === 'ALL') throw new Error(`expected a route, found middleware for ${path}; what concerns every request belongs into the gate`);
      const key = `${method} ${path}`;
      try {
        if (!beyondFast.has(key)) return fast.add(method, path, handler);
      } catch (thrown) {
        if (!(thrown instanceof UnsupportedPathError)) throw thrown;
        beyondFast.add(key);
      }
      general.add(method, path, handler);
    },
    match: (method, path) => {
      const found = fast.match(method, path);
      return found[0].length > 0 || beyondFast.size === 0 ? found : general.match(method, path);
    },
  };
};
