/** Whether restarts on a node come so fast that somebody should look. Pure; nothing is held back by it. */

const windowMs = 60_000;
/** Warned at half of what a storm is. */
const warnedAt = 5;
export const stormAt = 10;

/** Restarts of the last minute, this one included. */
export const noteRestart = (restartsMono: readonly number[], mono: number): readonly number[] =>
  [...restartsMono.filter((then) => mono - then < windowMs), mono].slice(-stormAt);

export const isStorm = (restartsMono: readonly number[]): boolean => restartsMono.length >= stormAt;
export const isGathering = (restartsMono: readonly number[]): boolean => restartsMono.length >= warnedAt;
/** How long after the latest restart a storm counts as over. */
export const stormOverMs = windowMs;
