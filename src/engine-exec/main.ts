/** `pool-managerd engine-exec POOL`, apart from the command line of people: it runs before every engine and loads little. */
import { exitWith } from '../os/exit-code.ts';
import { engineExec } from './engine-exec.ts';

exitWith(engineExec(process.argv.slice(3)));
