/** In the place of `src/executable-start.ts` while the executable is built: writes down what V8 has compiled when the program ends. */
import { writeFileSync } from 'node:fs';
import { compileInner, innerCache, runInner } from '../../src/os/inner-script.ts';

const script = compileInner();
process.once('exit', () => writeFileSync(innerCache, script.createCachedData()));
runInner(script, require);
