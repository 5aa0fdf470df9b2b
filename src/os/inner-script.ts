/**
 * The program inside the executable, and what V8 compiled of it. Both are in it as they are, beside Node's own first script: the cache
 * that Node makes by itself holds what is compiled before anything runs, this one also what a daemon compiles while it starts.
 */
import { getRawAsset } from 'node:sea';
import { Script } from 'node:vm';

/** As they are called in the executable, and in stack traces. */
export const innerScript = 'pool-managerd.cjs';
export const innerCache = 'pool-managerd.cache';

type Inner = (require: NodeJS.Require, __filename: string) => void;

/** What becomes an `Inner`: as Node does with every file of CommonJS, and with no line more, so that lines of stack traces are its own. */
export const wrapInner = (code: string): string => `(function (require, __filename) { ${code}\n})`;

export const compileInner = (cachedData?: Buffer): Script =>
  // It is ASCII: tools/build/bundle.ts.
  new Script(Buffer.from(getRawAsset(innerScript)).toString('latin1'), {
    filename: innerScript,
    ...(cachedData === undefined ? {} : { cachedData }),
  });

export const readInnerCache = (): Buffer => Buffer.from(getRawAsset(innerCache));

/** `builtins`: the `require` of the executable, which knows nothing but Node itself. */
export const runInner = (script: Script, builtins: NodeJS.Require): void => {
  const run = script.runInThisContext() as Inner;
  run(builtins, process.execPath);
};
