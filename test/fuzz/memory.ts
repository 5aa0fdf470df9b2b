/** How much memory a piece of work leaves behind, rubbish collected before and after. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

const heapUsed = (): number => {
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
};

/** Bytes. */
export const growthOver = async (work: () => Promise<void> | void): Promise<number> => {
  const before = heapUsed();
  await work();
  return heapUsed() - before;
};
