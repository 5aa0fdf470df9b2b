/** Requests of clients, sent straight to an engine, of a llama-server or of its stub. */

export interface Streamed {
  /** The engine said that this is the end, and it was not cut before. */
  readonly whole: boolean;
  readonly tokens: number;
  readonly problem: string | null;
}

export interface Streaming {
  /** The first token came. */
  readonly begun: Promise<void>;
  readonly done: Promise<Streamed>;
  /** As a client that goes away. */
  leave(): void;
}

export const complete = async (endpoint: string, tokens: number): Promise<{ readonly status: number; readonly content: string }> => {
  const response = await post(endpoint, { n_predict: tokens, stream: false });
  return { status: response.status, content: String(Object(await response.json()).content) };
};

export const stream = (endpoint: string, tokens: number): Streaming => {
  const begun = Promise.withResolvers<void>();
  const leaving = new AbortController();
  let text = '';
  const count = (): number => text.split('\n').filter((line) => line.startsWith('data: {')).length;
  const read = async (): Promise<void> => {
    const response = await post(endpoint, { n_predict: tokens, stream: true }, leaving.signal);
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (count() > 0) begun.resolve();
    }
  };
  const done = read().then(
    () => ({ whole: /^data: \[DONE\]|"stop":true/m.test(text), tokens: count(), problem: null }),
    (thrown: unknown) => ({ whole: false, tokens: count(), problem: thrown instanceof Error ? thrown.message : String(thrown) }),
  );
  // Whoever waits for the first token hears of an end without one.
  void done.then(() => begun.resolve());
  return { begun: begun.promise, done, leave: () => leaving.abort() };
};

/** A random model may think that it is done after any token. */
const post = (endpoint: string, body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(`${endpoint}/completion`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'once upon a time', ignore_eos: true, ...body }),
    ...(signal === undefined ? {} : { signal }),
  });
