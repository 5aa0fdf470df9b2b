/**
 * Spreading waits: jitter without randomness, so that a replay sees the same delays, and the doubling wait of retries.
 *
 * Pure. What is retried, and when a delay is reset, is decided by those who call.
 */

/**
 * `baseMs` moved by up to ±`spread` (0.2 = 20 %), whole milliseconds, never negative. The same seed text gives the same
 * delay; nodes and attempts differ in their seeds, which is what keeps them from meeting.
 */
export const jittered = (baseMs: number, spread: number, seedText: string): number =>
  Math.max(0, Math.round(baseMs * (1 + spread * (2 * fractionOf(seedText) - 1))));

/** `firstMs` doubled with each attempt after the first (attempt 1 → `firstMs`), at most `maxMs`. */
export const doubled = (firstMs: number, maxMs: number, attempt: number): number => Math.min(firstMs * 2 ** Math.max(0, attempt - 1), maxMs);

/** FNV-1a over the UTF-16 units, mixed once more since its low bits are poor, as a fraction in [0, 1). */
const fractionOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
};
