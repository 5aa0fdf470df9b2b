/** One made-up completion, token by token at the stub's rate, in a slot. A client that leaves frees its slot. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Slots } from './slots.ts';

interface Completing {
  readonly slots: Slots;
  readonly tokensPerSecond: number;
  readonly chat: boolean;
}

interface Asked {
  readonly tokens: number;
  readonly stream: boolean;
}

const words = ['this', 'text', 'comes', 'from', 'a', 'stub', 'engine'];
const mostBytes = 1024 * 1024;
const mostTokens = 100_000;

export const complete = async (request: IncomingMessage, response: ServerResponse, { slots, tokensPerSecond, chat }: Completing): Promise<void> => {
  const left = new AbortController();
  response.on('close', () => left.abort());
  const asked = await read(request);
  if (asked === null)
    return void response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"code":400,"message":"expected JSON"}}');
  const slot = await slots.take();
  try {
    if (asked.stream) response.writeHead(200, { 'content-type': 'text/event-stream' });
    const said: string[] = [];
    while (said.length < asked.tokens && !left.signal.aborted) {
      if (said.length > 0) await wait(1000 / tokensPerSecond, undefined, { signal: left.signal }).catch(() => undefined);
      const word = `${words[said.length % words.length]} `;
      said.push(word);
      if (asked.stream) response.write(`data: ${JSON.stringify(chunk(word, chat))}\n\n`);
    }
    if (left.signal.aborted) return;
    if (asked.stream) response.end('data: [DONE]\n\n');
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(whole(said, chat)));
  } finally {
    slots.release(slot);
  }
};

const chunk = (word: string, chat: boolean): object =>
  chat ? { choices: [{ index: 0, delta: { content: word } }] } : { content: word, stop: false };

const whole = (said: readonly string[], chat: boolean): object =>
  chat
    ? {
        object: 'chat.completion',
        model: 'stub',
        choices: [{ index: 0, message: { role: 'assistant', content: said.join('') }, finish_reason: 'length' }],
      }
    : { content: said.join(''), stop: true, model: 'stub', tokens_predicted: said.length };

/** Null: not JSON, or too much of it. */
const read = async (request: IncomingMessage): Promise<Asked | null> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const piece = Buffer.from(chunk);
    bytes += piece.length;
    if (bytes > mostBytes) return null;
    chunks.push(piece);
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof body !== 'object' || body === null) return null;
    const wanted = 'n_predict' in body ? body.n_predict : 'max_tokens' in body ? body.max_tokens : 32;
    const tokens = typeof wanted === 'number' && wanted > 0 ? Math.min(mostTokens, Math.floor(wanted)) : 32;
    return { tokens, stream: 'stream' in body && body.stream === true };
  } catch {
    return null;
  }
};
