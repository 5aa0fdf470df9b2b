/** A Cause on its way through code that throws. Caught where an actor turns it into an event. */
import type { Cause } from './machines/vocabulary.ts';

export class CauseError extends Error {
  override readonly name = 'CauseError';
  readonly reason: Cause;

  constructor(reason: Cause) {
    super(reason.message);
    this.reason = reason;
  }
}

/** The Cause in anything thrown; what carries none is named as `fallback`. */
export const causeOf = (thrown: unknown, fallback: Cause['code']): Cause =>
  thrown instanceof CauseError ? thrown.reason : { code: fallback, message: thrown instanceof Error ? thrown.message : String(thrown) };

export const isCause = (value: object): value is Cause => 'code' in value && 'message' in value;

/** Closes a union: a value that reaches this was never meant to exist. */
export const assertNever = (value: never): never => {
  throw new Error(`impossible value: ${JSON.stringify(value)}`);
};
