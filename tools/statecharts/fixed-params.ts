/**
 * What the chart itself says about a guard or an action: `{ is: 'accepted' }` beside what comes from the event. Pure.
 *
 * Params that are computed are asked with two made-up events; text that is the same for both is fixed in the chart.
 */
export const fixedParams = (params: unknown): Readonly<Record<string, unknown>> | null => {
  if (typeof params !== 'function') return isRecord(params) ? params : null;
  const [one, other] = [answer(params, {}), answer(params, { cause: { code: 'unkillable', message: 'another' } })];
  if (!isRecord(one) || !isRecord(other)) return null;
  const fixed = Object.entries(one).filter(([name, value]) => typeof value === 'string' && other[name] === value);
  return fixed.length === 0 ? null : Object.fromEntries(fixed);
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Some need more of the event than there is here: then nothing is known to be fixed. */
const answer = (params: CallableFunction, ended: object): unknown => {
  try {
    return Reflect.apply(params, undefined, [{ context: {}, event: { output: ended, error: ended } }]);
  } catch {
    return null;
  }
};
