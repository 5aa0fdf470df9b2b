/** Requests of clients, sent straight to an engine, of a llama-server or of its stub. */

export interface Streamed {
  /** The engine said that this is the end, and it was not cut before. */
  readonly whole: boolean;
  /** As the engine counts them, where it does; else pieces of text, of which one may hold several. */
  readonly tokens: number;
  readonly problem: string | null;
}

export interface Streaming {
  /** The first token came. Rejects when the request ended without one. */
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
  const pieces = (): number => text.split('\n').filter((line) => line.startsWith('data: {')).length;
  const read = async (): Promise<void> => {
    const response = await post(endpoint, { n_predict: tokens, stream: true }, leaving.signal);
    const decoder = new TextDecoder();
    // Nothing is looked for in all that has come at each piece of it: that kept tests from asking anybody anything for seconds.
    let hasBegun = false;
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (hasBegun || !text.includes('data: {')) continue;
      hasBegun = true;
      begun.resolve();
    }
  };
  const count = (): number => Number(/"tokens_predicted":(\d+)/.exec(text.split('\n').findLast((line) => line !== '') ?? '')?.[1] ?? pieces());
  const done = read().then(
    () => ({ whole: /^data: \[DONE\]|"stop":true/m.test(text), tokens: count(), problem: null }),
    (thrown: unknown) => ({ whole: false, tokens: count(), problem: thrown instanceof Error ? thrown.message : String(thrown) }),
  );
  void done.then(({ problem }) => begun.reject(new Error(`the request ended without a token: ${problem}`)));
  // Not everybody waits for it.
  begun.promise.catch(() => undefined);
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

/** Keeps so many requests in an engine, one after the other, until told to stop: however fast it is, it is seen at work. */
export const keepBusy = (endpoint: string, count: number): { readonly stop: () => Promise<void> } => {
  let stopped = false;
  const current = new Set<ReturnType<typeof stream>>();
  const client = async (): Promise<void> => {
    while (!stopped) {
      const request = stream(endpoint, 2_000);
      current.add(request);
      await request.done;
      current.delete(request);
    }
  };
  const clients = Array.from({ length: count }, client);
  return {
    stop: async () => {
      stopped = true;
      for (const request of current) request.leave();
      await Promise.all(clients);
    },
  };
};
