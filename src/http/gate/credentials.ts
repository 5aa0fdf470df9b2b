/**
 * Whether a request may pass, by its bearer token. Says nothing about hosts, origins or paths.
 *
 * Both tokens are hashed before they are compared in constant time, so neither content nor length shows in the time it takes.
 * Headers that were right are remembered with their digest: hashing is the dearest part of a request. A map finds a string by
 * a seeded hash of the whole of it, so its timing tells a guess no more than the answer does.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { Problem } from '../problems.ts';
import { createFailureLimiter } from './failure-limiter.ts';
import { fingerprintOf } from './fingerprint.ts';

export interface CredentialsOptions {
  token(): string | null;
  readonly loopback: boolean;
  /** Milliseconds of a clock that never goes back. */
  now(): number;
}

export type CheckCredentials = (authorization: string | undefined, peer: string) => Problem | Passed;

/** The token that let it pass, by its fingerprint; null: it needed none. */
export interface Passed {
  readonly fingerprint: string | null;
}

export const passedWithout: Passed = { fingerprint: null };

interface Wanted {
  readonly token: string;
  readonly digest: Buffer;
  readonly passed: Passed;
}

const longestHeader = 8192;
/** One token has few spellings. */
const mostKnown = 8;

export const createCredentialsCheck = ({ token, loopback, now }: CredentialsOptions): CheckCredentials => {
  const limiter = createFailureLimiter(now);
  const known = new Map<string, Buffer>();
  let wanted: Wanted | null = null;
  const expected = (): Wanted | null => {
    const current = token();
    if (current === null) return null;
    if (wanted?.token === current) return wanted;
    wanted = { token: current, digest: digestOf(current), passed: { fingerprint: fingerprintOf(current) } };
    known.clear();
    return wanted;
  };
  // A token that was there once and is gone (a file that cannot be read at the moment) does not open the door.
  let guarded = expected() !== null;
  return (authorization, peer) => {
    const current = expected();
    if (current === null)
      return !guarded && loopback ? passedWithout : unauthorized('no token is set at the moment; set LLORCH_API_TOKEN or its file');
    guarded = true;
    if (authorization === undefined) return unauthorized('expected the header Authorization: Bearer <token>, found none');
    const shutOut = limiter.shutOutFor(peer);
    if (shutOut > 0) return tooMany(shutOut);
    const given = known.get(authorization) ?? digestIn(authorization);
    if (given !== null && timingSafeEqual(given, current.digest)) {
      if (known.size < mostKnown) known.set(authorization, given);
      limiter.succeeded(peer);
      return current.passed;
    }
    const wait = limiter.failed(peer);
    if (wait > 0) return tooMany(wait);
    return unauthorized(
      given === null ? 'expected the header Authorization: Bearer <token>, found another scheme' : 'this token is not the one that is set here',
    );
  };
};

/** Null: not of the form `Bearer <token>`. */
const digestIn = (authorization: string): Buffer | null => {
  const token = authorization.length > longestHeader ? undefined : /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  return token === undefined ? null : digestOf(token);
};

const digestOf = (token: string): Buffer => hash('sha256', token, 'buffer');

const unauthorized = (message: string): Problem =>
  new Problem('UNAUTHORIZED', message, { headers: { 'WWW-Authenticate': 'Bearer realm="pool-managerd"' } });

const tooMany = (retryAfterMs: number): Problem =>
  new Problem('TOO_MANY_REQUESTS', 'too many wrong tokens from this address in one minute; wait, then use the right one', {
    retryAfterMs: Math.ceil(retryAfterMs),
  });
