/**
 * Follows server-sent events: reads the stream, and when it breaks opens it again from the last event seen.
 *
 * Ends when the signal does. The first connection must succeed; only a broken one is opened again.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Api } from './api.ts';
import type { Question } from './client.ts';
import { CliError, exitCodes } from './exit.ts';

export interface ServerEvent {
  readonly id: string | null;
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
}

export interface FollowOptions {
  /** Of a route that is a stream. */
  readonly question: Question;
  readonly lastEventId: string | null;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
}

const longestLine = 1024 * 1024;
const silenceMs = 60_000;
const firstDelayMs = 200;
const longestDelayMs = 5_000;

export const follow = async (api: Api, options: FollowOptions, listener: (event: ServerEvent) => void): Promise<void> => {
  let lastEventId = options.lastEventId;
  let delay = firstDelayMs;
  for (let first = true; !options.signal.aborted; first = false) {
    try {
      await readOnce(api, { ...options, lastEventId }, (event) => {
        lastEventId = event.id ?? lastEventId;
        delay = firstDelayMs;
        listener(event);
      });
      if (!options.signal.aborted) options.note('the daemon ended the stream; connecting again');
    } catch (thrown) {
      if (options.signal.aborted) return;
      if (!isPassing(thrown, first)) throw thrown;
      options.note(`${thrown instanceof Error ? thrown.message : String(thrown)}; trying again`);
    }
    await wait(delay, undefined, { signal: options.signal }).catch(() => undefined);
    delay = Math.min(delay * 2, longestDelayMs);
  }
};

const isPassing = (thrown: unknown, first: boolean): boolean =>
  thrown instanceof StreamBroken || (!first && thrown instanceof CliError && thrown.exitCode === exitCodes.unreachable);

/** The connection broke after it had been open. */
class StreamBroken extends Error {}

const readOnce = async (api: Api, { question, lastEventId, signal }: FollowOptions, listener: (event: ServerEvent) => void): Promise<void> => {
  const silent = new AbortController();
  const alarm = setTimeout(() => silent.abort(), silenceMs);
  try {
    const stream = await api.stream(question, lastEventId, AbortSignal.any([signal, silent.signal]));
    const take = createEventParser(listener);
    const decoder = new TextDecoder();
    for await (const chunk of chunksOf(stream, api.url)) {
      alarm.refresh();
      take(decoder.decode(chunk, { stream: true }));
    }
  } finally {
    clearTimeout(alarm);
  }
};

async function* chunksOf(stream: ReadableStream<Uint8Array>, url: string): AsyncGenerator<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  const next = () =>
    chunks.next().catch((thrown: unknown) => {
      throw new StreamBroken(`the connection to ${url} was lost (${thrown instanceof Error ? thrown.message : String(thrown)})`);
    });
  try {
    for (let read = await next(); !read.done; read = await next()) yield read.value;
  } finally {
    await chunks.return?.().catch(() => undefined);
  }
}

/** Takes the stream in any pieces; `id` is the latest one named, as the standard has it. Lines over 1 MiB are an error. */
export const createEventParser = (listener: (event: ServerEvent) => void): ((text: string) => void) => {
  let rest = '';
  let id: string | null = null;
  let event = '';
  let data: string[] = [];
  const takeLine = (line: string): void => {
    if (line === '') {
      if (data.length > 0) listener({ id, event: event === '' ? 'message' : event, data: data.join('\n') });
      event = '';
      data = [];
      return;
    }
    const [, name, value] = /^([^:]*):? ?([\s\S]*)$/.exec(line) ?? [];
    if (name === 'data') data.push(value ?? '');
    else if (name === 'event') event = value ?? '';
    else if (name === 'id') id = value ?? '';
  };
  return (text) => {
    /** A CR at the very end may be half of CRLF: it waits. */
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) {
      throw new CliError(`the daemon sent a line of more than ${longestLine} characters in its stream of events`, exitCodes.failed);
    }
    for (const line of lines) takeLine(line);
  };
};
