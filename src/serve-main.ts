/** `pool-managerd serve` with nothing behind it, as units start it: of the command line nothing is loaded. */
import { exitWith } from './os/exit-code.ts';
import { exitCodes, serveDaemon } from './serve.ts';

exitWith(
  serveDaemon().catch((thrown: unknown) => {
    process.stderr.write(`pool-managerd: unexpected failure: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
    return exitCodes.bug;
  }),
);
