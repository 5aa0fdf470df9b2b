/**
 * What a process with an inspector holds in memory once garbage is collected. Resident memory alone says little in a short
 * time: it rises for as long as the collector sees no need to work.
 */
import { once } from 'node:events';
import * as v from 'valibot';
import { until } from './until.ts';

const targets = v.pipe(v.array(v.object({ webSocketDebuggerUrl: v.pipe(v.string(), v.url()) })), v.nonEmpty());
const usage = v.object({ usedSize: v.number(), backingStorageSize: v.number() });
const reply = v.pipe(v.string(), v.parseJson(), v.object({ id: v.number(), result: v.optional(v.unknown()), error: v.optional(v.unknown()) }));

const withinMs = 20_000;

export interface Heap {
  /** Bytes that live: objects, and what buffers hold beside them. */
  live(): Promise<number>;
  close(): void;
}

/** `port`: where `--inspect=127.0.0.1:<port>` has it listen. */
export const heapAt = async (port: number): Promise<Heap> => {
  const address = await until('an inspector', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => null);
    return response === null ? null : (v.parse(targets, await response.json())[0]?.webSocketDebuggerUrl ?? null);
  });
  const socket = new WebSocket(address);
  await heard(socket, 'open');
  let last = 0;
  const ask = async (method: string): Promise<unknown> => {
    last += 1;
    const answer = answered(socket, last);
    socket.send(JSON.stringify({ id: last, method }));
    return answer;
  };
  return {
    live: async () => {
      // What finalizers let go is garbage of the next collection.
      for (let time = 0; time < 2; time += 1) await ask('HeapProfiler.collectGarbage');
      const { usedSize, backingStorageSize } = v.parse(usage, await ask('Runtime.getHeapUsage'));
      return usedSize + backingStorageSize;
    },
    close: () => socket.close(),
  };
};

const answered = async (socket: WebSocket, id: number): Promise<unknown> => {
  const { result, error } = v.parse(reply, await heard(socket, 'message'));
  if (error !== undefined) throw new Error(`the inspector refused request ${id}: ${JSON.stringify(error)}`);
  return result;
};

/** One request at a time, so the next message is its answer. Rejects at the deadline: an end of the socket is silence. */
const heard = async (socket: WebSocket, what: 'open' | 'message'): Promise<unknown> => {
  const [event] = await once(socket, what, { signal: AbortSignal.timeout(withinMs) });
  return event instanceof MessageEvent ? event.data : null;
};
