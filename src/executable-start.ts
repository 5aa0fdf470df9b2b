/** The first script in the executable with Node inside: `executable.ts` comes next, with what V8 has compiled of it before. */
import { compileInner, readInnerCache, runInner } from './os/inner-script.ts';

const script = compileInner(readInnerCache());
if (script.cachedDataRejected) process.emitWarning('V8 does not take what was compiled at the build: pool-managerd starts more slowly');
runInner(script, require);
