/**
 * What the chart itself says about a guard or an action: `{ is: 'accepted' }` beside what comes from the event. Pure.
 *
 * Params that are computed are asked with an empty event; what is text then is fixed in the chart.
 */
export const fixedParams = (params: unknown): Readonly<Record<string, unknown>> | null => {
  const found = typeof params === 'function' ? answer(params) : params;
  if (typeof found !== 'object' || found === null) return null;
  const fixed = typeof params === 'function' ? Object.entries(found).filter(([, value]) => typeof value === 'string') : Object.entries(found);
  return fixed.length === 0 ? null : Object.fromEntries(fixed);
};

/** Some need more of the event than there is here: then nothing is known to be fixed. */
const answer = (params: CallableFunction): unknown => {
  try {
    return Reflect.apply(params, undefined, [{ context: {}, event: { output: {}, error: {} } }]);
  } catch {
    return null;
  }
};
