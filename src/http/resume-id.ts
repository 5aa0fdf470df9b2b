/** Where a reader of a stream goes on: the header Last-Event-ID, as a browser sends it. */
import { Problem, shown } from './problems.ts';

export const resumeId = (header: string | undefined): number | null => {
  if (header === undefined || header === '') return null;
  const id = Number(header);
  if (/^\d{1,16}$/.test(header) && Number.isSafeInteger(id)) return id;
  throw new Problem('INVALID_PARAMS', `expected in Last-Event-ID the id of an event seen before, found ${shown(header)}`);
};
