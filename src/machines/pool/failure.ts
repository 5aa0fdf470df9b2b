/** Reads the plain facts out of xstate's own events: when, and why. Pure; never throws. */
import { textOf } from '../error-text.ts';
import type { EngineFact } from '../events.ts';
import type { ReasonCode } from '../reasons.ts';
import { reasonCodes } from '../reasons.ts';
import type { Cause, Stamp } from '../vocabulary.ts';
import type { Ending } from './context.ts';

/** The stamp an event carries itself, in its output or in its error; null for timers. */
export const stampOf = (event: unknown): Stamp | null => own(event) ?? own(field(event, 'output')) ?? own(field(event, 'error'));

/** The Cause of a rejected actor; anything that is no Failure is our bug, named as such under `fallback`. */
export const causeOfError = (error: unknown, fallback: ReasonCode): Cause => {
  const cause = field(error, 'cause');
  const code = field(cause, 'code');
  const message = field(cause, 'message');
  if (typeof message === 'string' && isReasonCode(code)) return cause as Cause;
  return { code: fallback, message: `unexpected failure: ${textOf(error)}` };
};

/** How the engine ended, where that is what the event tells. */
export const endingOf = (event: unknown): Ending | null => {
  if (field(event, 'type') !== 'engine.exited') return null;
  const { exit, tail } = event as Extract<EngineFact, { readonly type: 'engine.exited' }>;
  return { exit, tail };
};

const isReasonCode = (code: unknown): code is ReasonCode => typeof code === 'string' && (reasonCodes as readonly string[]).includes(code);

const own = (value: unknown): Stamp | null => {
  const at = field(value, 'at');
  const mono = field(value, 'mono');
  return typeof at === 'number' && typeof mono === 'number' ? { at, mono } : null;
};

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
