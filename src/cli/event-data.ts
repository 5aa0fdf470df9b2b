/** The data of a server-sent event, checked; null for events of another kind, such as a sign of life. */
import * as v from 'valibot';
import type { ServerEvent } from './sse.ts';

export const dataOf = <S extends v.GenericSchema>(event: ServerEvent, schema: S): v.InferOutput<S> | null => {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), event.data);
  return parsed.success ? parsed.output : null;
};
