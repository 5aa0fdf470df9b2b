/** The command line of `demo`: options, help, and what is wrong with it. Starts nothing. */
import { parseArgs } from 'node:util';

export interface DemoOptions {
  /** Walk a pool through all of its states instead of waiting for Ctrl-C. */
  readonly tour: boolean;
  readonly llamaServer: string | null;
  readonly model: string | null;
  /** Take free ports even where the usual ones are free. */
  readonly freePorts: boolean;
  /** Where the journal is to be kept; null: it goes with the rest. */
  readonly journal: string | null;
}

export type DemoArguments =
  | { readonly kind: 'run'; readonly options: DemoOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string };

export const demoHelp = `Usage: pool-managerd demo [options]

A node to look at, on a machine without a GPU: the daemon with two simulated GPUs and three pools, and a stand-in for
orchestratord. It runs in a temporary directory until Ctrl-C, which drains every pool and leaves nothing behind.

Options:
  --tour               walk one pool through every state, naming each, and end; 0 only if all of it was seen
  --llama-server PATH  use this engine (default: llama-server on the PATH, else a stub that comes with pool-managerd)
  --model FILE         the model for it, GGUF (default: the tiny model of the tests, where it is there)
  --journal FILE       keep the daemon's journal there, for replay and for the dashboard's statecharts
  --free-ports         take free ports for API and metrics, even if 9200 and 9091 are free
  --help               this text

Examples:
  pool-managerd demo                                      the dashboard and a view in this terminal, until Ctrl-C
  pool-managerd demo --tour                               a pool's whole life, step by step
  pool-managerd demo --tour --journal tour.jsonl          the same, to be gone through afterwards
  pool-managerd demo --llama-server ./llama-server --model model.gguf

POOL_MANAGERD_INSPECT and POOL_MANAGERD_LOG_LEVEL (debug, trace) are passed on to the daemon; the demo makes all other
settings itself.
`;

export const readArguments = (args: readonly string[]): DemoArguments => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        tour: { type: 'boolean', default: false },
        'llama-server': { type: 'string' },
        model: { type: 'string' },
        'free-ports': { type: 'boolean', default: false },
        journal: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return { kind: 'help' };
    const { tour, 'llama-server': llamaServer = null, model = null, 'free-ports': freePorts, journal = null } = values;
    return { kind: 'run', options: { tour, llamaServer, model, freePorts, journal } };
  } catch (thrown) {
    return { kind: 'wrong', message: thrown instanceof Error ? thrown.message : String(thrown) };
  }
};
