/**
 * What an actor did at one moment, from the stream or from a journal: one shape for both, so that one view shows both.
 *
 * A row of moments remembers for each where its actor was before, so that one may go through it in both directions.
 */

export interface Taken {
  readonly source: string;
  readonly targets: readonly string[];
  readonly guard: string | null;
  readonly actions: readonly string[];
  /** Empty: without an event, as soon as it may. */
  readonly on: string;
}

export interface Moment {
  /** Of the stream, or the line's own in a journal. */
  readonly id: number;
  readonly at: string;
  readonly actor: string;
  readonly machine: string;
  readonly event: { readonly type: string };
  readonly from: string;
  readonly to: string;
  readonly status: string;
  readonly source: string | null;
  /** Null: a journal does not tell; `pool-managerd explain` does. */
  readonly steps: readonly Taken[] | null;
}

export interface Actor {
  readonly id: string;
  readonly machine: string;
  readonly path: string;
}

/** Actors by id. */
export type Cast = Map<string, Actor>;

export const play = (cast: Cast, { actor, machine, to, status }: Moment): void => {
  if (status === 'active') cast.set(actor, { id: actor, machine, path: to });
  else cast.delete(actor);
};

export const unplay = (cast: Cast, { actor, machine, from }: Moment): void => {
  if (from === '') cast.delete(actor);
  else cast.set(actor, { id: actor, machine, path: from });
};

/** Those that have a drawing, in the order in which their actors are shown. */
export const machines: readonly string[] = ['node', 'registration', 'gpu', 'pool'];
