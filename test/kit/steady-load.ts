/** Clients that stream from engines without a pause worth mentioning, and count what they got. */
import { setTimeout as wait } from 'node:timers/promises';
import { stream } from './completions.ts';

export interface Load {
  readonly endpoint: string;
  /** Of each request. */
  readonly tokens: number;
  readonly pauseMs: number;
}

export interface LoadReport {
  readonly whole: number;
  /** One line per stream that was cut. */
  readonly cut: readonly string[];
}

export interface SteadyLoad {
  /** No new request; resolves when those under way have ended. */
  end(): Promise<LoadReport>;
}

export const startLoad = (loads: readonly Load[]): SteadyLoad => {
  let ending = false;
  const cut: string[] = [];
  let whole = 0;
  const client = async ({ endpoint, tokens, pauseMs }: Load): Promise<void> => {
    while (!ending) {
      const got = await stream(endpoint, tokens).done;
      if (got.whole) whole += 1;
      else cut.push(`${endpoint}: ${got.tokens} of ${tokens} tokens, ${got.problem ?? 'no end'}`);
      // A server that refuses is not asked in a loop.
      await wait(got.whole ? pauseMs : 100);
    }
  };
  const clients = loads.map(client);
  return {
    end: async () => {
      ending = true;
      await Promise.all(clients);
      return { whole, cut };
    },
  };
};
