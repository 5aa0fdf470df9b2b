/** What a node knows. Plain data, changed only by the assigns in `actions.ts`. `samples` is for display: no guard reads it. */
import type { GpuStandings } from '../policies/gpu-standing.ts';
import { emptyLedger, type Ledger } from '../policies/ledger.ts';
import type { Quarantines } from '../policies/quarantine.ts';
import type { Roster } from '../policies/roster.ts';
import type { RegistrationInput } from '../registration/context.ts';
import type { Cause, Inventory } from '../vocabulary.ts';

export interface NodeInput {
  readonly nodeId: string;
  readonly registration: RegistrationInput;
}

export interface NodeContext {
  readonly nodeId: string;
  readonly registration: RegistrationInput;
  readonly roster: Roster;
  /** Pool actors spawned so far: the number of the next one. */
  readonly spawned: number;
  readonly ledger: Ledger;
  readonly quarantines: Quarantines;
  /** How the cards stand that were ever seen, also those that are gone. */
  readonly gpus: GpuStandings;
  /** Why the kernel's log is not read; null: it is, or it is not known yet. */
  readonly kernelCause: Cause | null;
  /** Of the latest discovery; kept while the node is blind. */
  readonly inventory: Inventory | null;
  /** Why the cards cannot be read now; null: they can. */
  readonly gpuCause: Cause | null;
  /** What could not be read at the start, or broke since. */
  readonly troubles: readonly Cause[];
  /** Of the pools file as it is now, which is therefore not followed; null: it is valid. */
  readonly fileMistakes: readonly string[] | null;
  readonly restartsMono: readonly number[];
  /** The registration actor has been started; it stays to the end. */
  readonly registrationRuns: boolean;
  /** Set once a stop was ordered. */
  readonly stopping: 'keep' | 'drain' | null;
  readonly samples: { readonly inventory: Inventory | null };
}

export const initialContext = ({ nodeId, registration }: NodeInput): NodeContext => ({
  nodeId,
  registration,
  roster: {},
  spawned: 0,
  ledger: emptyLedger,
  quarantines: {},
  gpus: {},
  kernelCause: null,
  inventory: null,
  gpuCause: null,
  troubles: [],
  fileMistakes: null,
  restartsMono: [],
  registrationRuns: false,
  stopping: null,
  samples: { inventory: null },
});
