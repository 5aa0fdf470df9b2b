/** The id that ties a request, its answer and its log line together: the caller's own where it is harmless, else a new one. */
import { randomUUID } from 'node:crypto';

const sane = /^[\w.:/+=@-]{1,128}$/;

export const correlationIdOf = (header: string | string[] | undefined): string =>
  typeof header === 'string' && sane.test(header) ? header : randomUUID();
