/**
 * Whether a pool leaves ready so soon after it left it that it is held back: it then comes back at the end of its grace and not
 * at the second pass. Pure.
 */

/** Leaving ready for failed probes: when last, and whether too soon after the time before. */
export interface Leaving {
  readonly mono: number | null;
  readonly again: boolean;
}

export const neverLeft: Leaving = { mono: null, again: false };

/** Longer than the grace and the fewest misses together, so that one that is held back and fails again is held back again. */
const windowMs = 60_000;

export const noteLeaving = ({ mono: last }: Leaving, mono: number | null): Leaving => ({
  mono,
  again: last !== null && mono !== null && mono - last < windowMs,
});
