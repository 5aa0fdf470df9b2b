/**
 * Follows server-sent events with the token in a header, which the browser's own EventSource cannot send.
 *
 * A stream that breaks or falls silent is opened again from the last event seen, for ever. One that nobody looks at, since the
 * page is hidden, is closed after a while and opened again when the page is shown.
 */
import { Refused, request } from './api.ts';

export interface StreamEvent {
  readonly event: string;
  readonly data: unknown;
}

export interface Following {
  /** It is open, or has been lost. Told once for each change. */
  readonly onOpen?: (open: boolean) => void;
  /** It will not be tried again: the token is missing or wrong, or what was asked for is not there. */
  readonly onRefused?: (refusal: Refused) => void;
}

const silenceMs = 40_000;
const firstDelayMs = 300;
const longestDelayMs = 5_000;
const hiddenMs = 30_000;

/** Returns the way to stop. */
export const follow = (path: string, listener: (event: StreamEvent) => void, { onOpen, onRefused }: Following = {}): (() => void) => {
  let reading: AbortController | null = null;
  let retry: number | undefined;
  let hiding: number | undefined;
  let delay = firstDelayMs;
  let lastId: string | null = null;
  let stopped = false;

  const read = async (ending: AbortController): Promise<void> => {
    const headers = { accept: 'text/event-stream', ...(lastId !== null && { 'last-event-id': lastId }) };
    const response = await request(path, { headers, signal: ending.signal, cache: 'no-store' });
    const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
    onOpen?.(true);
    let alarm: number | undefined;
    const decoder = new TextDecoder();
    const take = createParser((id, event) => {
      lastId = id ?? lastId;
      delay = firstDelayMs;
      listener(event);
    });
    try {
      for (;;) {
        clearTimeout(alarm);
        alarm = setTimeout(() => ending.abort(), silenceMs);
        const { done, value } = await reader.read();
        if (done) return;
        take(decoder.decode(value, { stream: true }));
      }
    } finally {
      clearTimeout(alarm);
    }
  };

  const open = async (): Promise<void> => {
    if (stopped || reading !== null) return;
    const ending = new AbortController();
    reading = ending;
    try {
      await read(ending);
    } catch (thrown) {
      const isFinal = thrown instanceof Refused && thrown.status < 500 && thrown.status !== 429;
      if (isFinal && !stopped) {
        stop();
        onRefused?.(thrown);
      }
    }
    reading = null;
    if (stopped) return;
    onOpen?.(false);
    if (document.visibilityState === 'hidden' && hiding === undefined) return;
    retry = setTimeout(() => void open(), delay);
    delay = Math.min(delay * 2, longestDelayMs);
  };

  const onVisibility = (): void => {
    clearTimeout(hiding);
    hiding = undefined;
    if (document.visibilityState === 'hidden') {
      hiding = setTimeout(() => {
        hiding = undefined;
        reading?.abort();
      }, hiddenMs);
    } else {
      clearTimeout(retry);
      delay = firstDelayMs;
      void open();
    }
  };

  const stop = (): void => {
    stopped = true;
    clearTimeout(retry);
    clearTimeout(hiding);
    document.removeEventListener('visibilitychange', onVisibility);
    reading?.abort();
  };

  document.addEventListener('visibilitychange', onVisibility);
  void open();
  return stop;
};

/** Takes the text in any pieces. The daemon ends lines with a line feed and writes each event's data on one line. */
const createParser = (listener: (id: string | null, event: StreamEvent) => void): ((text: string) => void) => {
  let rest = '';
  return (text) => {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => [line.slice(0, Math.max(0, line.indexOf(':'))), line.slice(line.indexOf(':') + 1).trimStart()]),
      );
      const data = fields.get('data');
      if (data !== undefined) listener(fields.get('id') ?? null, { event: fields.get('event') ?? 'message', data: JSON.parse(data) });
    }
  };
};
