/**
 * The words of an error that came with an event: of a live one, and of the same read from a journal, which knows its name and
 * message only. A chart that told them apart would not fold to where it was. Pure; never throws.
 */
export const textOf = (error: unknown): string => {
  if (typeof error !== 'object' && typeof error !== 'function') return String(error);
  const message: unknown = error === null ? null : Reflect.get(error, 'message');
  return typeof message === 'string' ? message : 'an error without a message';
};
