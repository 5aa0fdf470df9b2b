/**
 * What makes one engine different from another: a hash of the parts of a spec that an engine is started with. Two specs of one
 * hash need no new engine. Pure.
 *
 * Not in it: `preload`, `timeouts`, `health`, `restart`, which the daemon applies by itself. A key that is null is left out, so
 * that a later version with more keys finds the engines it adopts unchanged.
 */
import { hash } from 'node:crypto';
import type { PoolSpec } from '../machines/vocabulary.ts';

const hexDigits = 16;

/** The first 16 hexadecimal digits of SHA-256 over canonical JSON. */
export const hashSpec = ({ preload, timeouts, health, restart, ...ofTheEngine }: PoolSpec): string => digest(ofTheEngine);

/** The same over all that is said of a pool, times and probes included. */
export const hashEntry = (spec: PoolSpec): string => digest(spec);

const digest = (value: unknown): string => hash('sha256', canonical(value), 'hex').slice(0, hexDigits);

/** Keys sorted, no spaces, no nulls. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, part]) => part !== null);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`)
    .join(',')}}`;
};
