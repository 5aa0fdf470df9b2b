/** Programs of ours as children that are told one message and answer with a number. */
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { House } from './house.ts';
import { start } from './processes.ts';

const programs = resolve(import.meta.dirname, '../programs');
const patienceMs = 60_000;

export const startWorker = (house: House, program: string, argv: readonly string[]): ((order: string | number) => Promise<number>) => {
  const child = start(house, process.execPath, [resolve(programs, program), ...argv], { output: 'ipc' });
  return async (order) => {
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(patienceMs)]);
    const ended = once(child, 'exit', { signal }).then(([code]) => Promise.reject(new Error(`${program} ended with ${code} instead of answering`)));
    child.send(order);
    try {
      const [answer] = await Promise.race([once(child, 'message', { signal }), ended]);
      return Number(answer);
    } finally {
      ended.catch(() => undefined);
      done.abort();
    }
  };
};
