/** Reads fields of data whose shape is somebody else's business. What is not there, or of another type, is null. Pure. */
import { type ReasonCode, reasons } from '../machines/reasons.ts';

export const at = (value: unknown, ...path: readonly string[]): unknown => {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = Reflect.get(here, key);
  }
  return here;
};

export const textAt = (value: unknown, ...path: readonly string[]): string | null => {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : null;
};

export const numberAt = (value: unknown, ...path: readonly string[]): number | null => {
  const found = at(value, ...path);
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
};

/** A reason code and its sentence, as in `context.reason`, `context.lastError` and every Cause. */
export const causeAt = (value: unknown, ...path: readonly string[]): { readonly code: ReasonCode; readonly message: string } | null => {
  const code = textAt(value, ...path, 'code');
  const message = textAt(value, ...path, 'message');
  return code !== null && message !== null && isReasonCode(code) ? { code, message } : null;
};

export const isReasonCode = (code: string): code is ReasonCode => Object.hasOwn(reasons, code);
