/**
 * Server-sent events: a bounded number of clients, each with a bounded queue, a sign of life, and an end.
 *
 * A client that reads slower than there is news is told so (`lagged`), stops listening, and goes on from where it was as
 * soon as its queue is empty: nothing is lost and nothing grows. One that takes nothing at all is cut off.
 */
import { answerText } from './answers.ts';
import type { Exchange } from './env.ts';
import { streamLimits } from './limits.ts';
import { Problem } from './problems.ts';

export interface StreamMessage {
  /** The resume id: larger than that of any message before it. */
  readonly id: number;
  readonly event: string;
  readonly data: object;
}

/** Everything after `after` (null: from now on), in order. Returns the way to stop; may call back before it returns. */
export type StreamSource = (after: number | null, listener: (message: StreamMessage) => void) => () => void;

export interface Streams {
  /** For HEAD only the headers. */
  open(exchange: Exchange, after: number | null, source: StreamSource): ReturnType<typeof answerText>;
  count(): number;
  /** Says goodbye to everybody; later ones are refused. */
  endAll(): void;
}

export type StreamLimits = { readonly [Key in keyof typeof streamLimits]: number };

interface Client {
  beat(): void;
  end(): void;
}

export const createStreams = (limits: StreamLimits = streamLimits): Streams => {
  const clients = new Set<Client>();
  let timer: NodeJS.Timeout | null = null;
  let ended = false;
  const leave = (client: Client): void => {
    clients.delete(client);
    if (clients.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
  return {
    open: (exchange, after, source) => {
      if (exchange.incoming.method === 'HEAD') return answerText(exchange, null, contentType);
      if (ended) throw new Problem('POOL_UNAVAILABLE', 'the daemon is shutting down; connect again later', { retryAfterMs: 1000 });
      if (clients.size >= limits.clients) {
        throw new Problem('TOO_MANY_REQUESTS', `${limits.clients} streams are open, the most there may be; close one`, { retryAfterMs: 5000 });
      }
      const { client, body } = openClient(exchange, after, source, limits, () => leave(client));
      clients.add(client);
      timer ??= setInterval(() => {
        for (const each of [...clients]) each.beat();
      }, limits.heartbeatMs).unref();
      return answerText(exchange, body, contentType);
    },
    count: () => clients.size,
    endAll: () => {
      ended = true;
      for (const client of [...clients]) client.end();
    },
  };
};

const contentType = 'text/event-stream; charset=utf-8';
const encoder = new TextEncoder();

const openClient = (exchange: Exchange, after: number | null, source: StreamSource, limits: StreamLimits, left: () => void) => {
  let queue = 'retry: 1000\n\n';
  /** Where to go on after a pause. */
  let last = after;
  let paused = false;
  let closing = false;
  let waitsSince: number | null = null;
  let hungry: (() => void) | null = null;
  let stop = (): void => undefined;

  const put = (text: string): void => {
    queue += text;
    waitsSince ??= performance.now();
    hungry?.();
  };
  const take = (message: StreamMessage, stopNow: () => void): void => {
    const text = `id: ${message.id}\nevent: ${message.event}\ndata: ${JSON.stringify(message.data)}\n\n`;
    // One message alone always fits: whoever makes them bounds them.
    if (queue.length > 0 && queue.length + text.length > limits.queuedBytes) {
      paused = true;
      stopNow();
      put(`event: lagged\ndata: ${JSON.stringify({ after: last })}\n\n`);
      return;
    }
    last = message.id;
    put(text);
  };
  const resume = (): void => {
    paused = false;
    stop = subscribe(source, last, take);
  };
  const leave = (): void => {
    stop();
    left();
  };
  const goOn = (): void => {
    try {
      resume();
    } catch (thrown) {
      // An errored stream is never cancelled: leave here.
      leave();
      throw thrown;
    }
  };
  const client: Client = {
    beat: () => {
      if (waitsSince !== null && performance.now() - waitsSince > limits.stalledMs) exchange.outgoing.destroy();
      else if (queue === '') put(': alive\n\n');
    },
    end: () => {
      closing = true;
      leave();
      hungry?.();
    },
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start: resume,
      pull: async (controller) => {
        if (queue === '' && !closing) {
          await new Promise<void>((resolve) => {
            hungry = resolve;
          });
          hungry = null;
        }
        if (queue !== '') controller.enqueue(encoder.encode(queue));
        queue = '';
        waitsSince = null;
        if (closing) controller.close();
        else if (paused) goOn();
      },
      cancel: () => {
        closing = true;
        leave();
        hungry?.();
      },
    },
    { highWaterMark: 0 },
  );
  return { client, body };
};

/** Stopping works also from within the listener, before `source` has returned; twice is once. */
const subscribe = (source: StreamSource, after: number | null, listener: (message: StreamMessage, stop: () => void) => void): (() => void) => {
  let stopped = false;
  let stopSource: (() => void) | null = null;
  const stop = (): void => {
    stopped = true;
    stopSource?.();
    stopSource = null;
  };
  const given = source(after, (message) => {
    if (!stopped) listener(message, stop);
  });
  if (stopped) given();
  else stopSource = given;
  return stop;
};
