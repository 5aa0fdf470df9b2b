/**
 * What an answer of orchestratord means: accepted, unknown node, rejected for now, or as good as no answer.
 *
 * Pure. Rejected is what will not change by itself soon (401, 422, multi-node off); everything that may be over in a moment
 * (5xx, 429, a body that cannot be read) counts as unreachable.
 */
import * as v from 'valibot';
import type { CallOutcome } from '../machines/registration/actors.ts';
import type { Stamp } from '../machines/vocabulary.ts';
import type { Answered, OrchestratorCall } from './call.ts';
import { answerSchema } from './wire.ts';

type Judged<Outcome = CallOutcome> = Outcome extends unknown ? Omit<Outcome, keyof Stamp> : never;

const longestQuote = 300;

export const judgeAnswer = (what: string, call: OrchestratorCall, { status, location, text }: Answered): Judged => {
  const said = quote(text);
  const tell = (sentence: string) => `${what} answered ${status}${said}: ${sentence}`;
  const rejected = (sentence: string): Judged => ({ result: 'rejected', message: tell(sentence) });
  const unreachable = (sentence: string): Judged => ({ result: 'unreachable', message: tell(sentence) });

  if (call.name === 'deregister' && (status === 404 || isSuccess(status))) return accepted({}, null, call);
  if (isSuccess(status)) return judgeBody(text, call, tell);
  if (status === 401) return rejected('orchestratord does not accept the token; set LLORCH_API_TOKEN to the one it expects');
  if (status === 403) return rejected('this node may not register there');
  if (status === 404 && call.name === 'heartbeat')
    return { result: 'unknown_node', message: tell('orchestratord does not know this node; registering again') };
  if (status === 404) return rejected('no such route; ORCHESTRATORD_URL must be the base address of orchestratord');
  if (status === 422) return rejected('orchestratord does not understand what it was told');
  if (status === 408 || status === 429) return unreachable('orchestratord is busy');
  if (status === 503 && saysNo(text)) return rejected('orchestratord takes no nodes; is multi-node enabled there?');
  if (status >= 500) return unreachable('orchestratord has failed');
  if (status >= 300 && status < 400)
    return rejected(`redirects are not followed; set ORCHESTRATORD_URL to where it leads (${location ?? 'nowhere'})`);
  return rejected('expected 200');
};

const isSuccess = (status: number): boolean => status >= 200 && status < 300;

const judgeBody = (text: string, call: OrchestratorCall, tell: (sentence: string) => string): Judged => {
  const parsed = v.safeParse(answerSchema, parseJson(text));
  if (!parsed.success) return { result: 'unreachable', message: tell('expected JSON with "success": true; is this really orchestratord?') };
  if (!parsed.output.success) return { result: 'rejected', message: tell('orchestratord says no') };
  return accepted(parsed.output, parsed.output.next_heartbeat_ms ?? null, call);
};

const accepted = (body: Readonly<Record<string, unknown>>, nextHeartbeatMs: number | null, { draining }: OrchestratorCall): Judged => ({
  result: 'accepted',
  body,
  nextHeartbeatMs,
  draining,
});

const saysNo = (text: string): boolean => v.is(v.looseObject({ success: v.literal(false) }), parseJson(text));

/** Undefined for anything that is no JSON: no schema accepts it. */
const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** One printable line, short enough for a log. */
const quote = (text: string): string => {
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  if (line === '') return '';
  return ` "${line.length > longestQuote ? `${line.slice(0, longestQuote)}…` : line}"`;
};
