/**
 * The calls a registration makes, by name and type. Placeholders; payloads are gathered by the implementations from the
 * node's view at the moment of sending.
 */
import { fromPromise } from 'xstate';
import type { Stamp } from '../vocabulary.ts';

/** What a call came to. A call never rejects: every answer, also none, is a row of this table. */
export type CallOutcome = Stamp &
  (
    | {
        readonly result: 'accepted';
        /** Body as answered. */
        readonly body: Readonly<Record<string, unknown>>;
        readonly nextHeartbeatMs: number | null;
        /** Pools that this heartbeat said are draining. */
        readonly draining: readonly string[];
      }
    /** 404 to a heartbeat: the server does not know this node. */
    | { readonly result: 'unknown_node'; readonly message: string }
    /** 401, 403, 422, 503 with multi-node off: will not change by itself soon. */
    | { readonly result: 'rejected'; readonly message: string }
    /** Refused, timed out, 5xx, not understood. */
    | { readonly result: 'unreachable'; readonly message: string }
  );

const placeholder = <Output, Input>(name: string) =>
  fromPromise<Output, Input>(() => {
    throw new Error(`${name} was not provided`);
  });

export const registrationActors = {
  registerNode: placeholder<CallOutcome, Record<string, never>>('registerNode'),
  sendHeartbeat: placeholder<CallOutcome, { readonly sequence: number }>('sendHeartbeat'),
  deregisterNode: placeholder<CallOutcome, Record<string, never>>('deregisterNode'),
};
