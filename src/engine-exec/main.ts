/** `pool-managerd engine-exec POOL`, apart from the command line of people: it runs before every engine and loads little. */
import { engineExec } from './engine-exec.ts';

process.exitCode = await engineExec(process.argv.slice(3));
