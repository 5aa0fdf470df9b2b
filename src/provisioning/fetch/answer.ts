/** What the head of an answer means for a part that has so many bytes: go on, begin anew, it is whole, or not now. Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import { CauseError } from '../../cause.ts';
import { Interrupted, refusedBy, shownUrl } from './failures.ts';

export interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export interface Wanted {
  readonly url: string;
  readonly offset: number;
  readonly validator: string | null;
  /** Of what is there already. */
  readonly total: number | null;
  /** Of what was asked for, whatever the server says; null: nobody said. */
  readonly declared: number | null;
  readonly missing: 'model_missing' | 'engine_missing';
}

export interface Meaning {
  /** The body begins here. */
  readonly from: number;
  readonly total: number | null;
  readonly validator: string | null;
}

const longestWaitMs = 60_000;

/** Null: there is no more to be had than what is there. Throws Interrupted or CauseError. */
export const judgeAnswer = ({ status, headers }: Head, wanted: Wanted): Meaning | 'anew' | null => {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw new CauseError({
      code: 'download_failed',
      message: `expected ${shownUrl(wanted.url)} as it is, found it in encoding ${JSON.stringify(headers['content-encoding'])}`,
    });
  }
  const validator = validatorOf(headers);
  switch (status) {
    case 200:
      return { from: 0, total: agreed(wanted, lengthOf(headers)), validator };
    case 206: {
      const range = rangeOf(headers['content-range']);
      const isOther = validator !== null && wanted.validator !== null && validator !== wanted.validator;
      if (
        range === null ||
        range.from !== wanted.offset ||
        isOther ||
        (wanted.total !== null && range.total !== null && range.total !== wanted.total)
      )
        return 'anew';
      return { from: range.from, total: agreed(wanted, range.total), validator: validator ?? wanted.validator };
    }
    case 416:
      return rangeOf(headers['content-range'])?.total === wanted.offset ? null : 'anew';
    default: {
      const refusal = refusedBy(status, wanted.url, wanted.missing);
      if (refusal instanceof CauseError) throw refusal;
      throw new Interrupted('download_failed', refusal.message, waitOf(headers['retry-after']));
    }
  }
};

/** A weak tag says nothing of bytes. */
export const validatorOf = ({ etag, 'last-modified': modified }: IncomingHttpHeaders): string | null =>
  etag !== undefined && !etag.startsWith('W/') ? etag : (modified ?? null);

const lengthOf = (headers: IncomingHttpHeaders): number | null => wholeOrNull(headers['content-length']);

const wholeOrNull = (text: string | undefined): number | null => (text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null);

/** `bytes 5-9/10`, a star for the range that there is none of. */
export const rangeOf = (text: string | undefined): { readonly from: number | null; readonly total: number | null } | null => {
  const found = /^bytes (?:(\d{1,15})-\d{1,15}|\*)\/(\d{1,15}|\*)$/.exec(text ?? '');
  return found && { from: wholeOrNull(found[1]), total: wholeOrNull(found[2]) };
};

const agreed = ({ url, declared }: Wanted, said: number | null): number | null => {
  if (declared === null || said === null || declared === said) return said ?? declared;
  throw new CauseError({
    code: 'digest_mismatch',
    message: `expected ${declared} bytes at ${shownUrl(url)}, found ${said}; the file is not the one that was named`,
    details: { expected: declared, found: said },
  });
};

/** Seconds or a date; a date is not worth a clock of ours. */
const waitOf = (text: string | undefined): number | null => {
  const seconds = wholeOrNull(text);
  return seconds === null ? null : Math.min(seconds * 1000, longestWaitMs);
};
