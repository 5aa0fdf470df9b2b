/**
 * Shows the live actor system in a Stately inspector over a WebSocket: `POOL_MANAGERD_INSPECT=ws://…`.
 *
 * @statelyai/inspect says what is sent; this file takes secrets and bulk out and gets it there: it connects again for ever,
 * keeps a bounded number of messages meanwhile, and tells a new listener first which actors there are. The daemon never
 * waits for it and never hears an exception from it.
 */
import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import type { InspectionEvent } from 'xstate';
import { at } from './look.ts';
import { type SanitiseLimits, sanitise } from './sanitise.ts';

export interface InspectorBridgeOptions {
  /** `ws://` or `wss://`; what listens there speaks Stately's inspection messages as JSON text. */
  readonly url: string;
  /** Called when the listener cannot be reached, once until it was reached again. */
  readonly onTrouble?: (message: string) => void;
  /** Milliseconds until the first new attempt; doubled up to 30 s. */
  readonly retryMs?: number;
}

export interface InspectorBridge {
  /** For raw inspection events of xstate. Never throws. */
  readonly inspect: (event: InspectionEvent) => void;
  /** Messages that were dropped: too many waited, or the listener reads too slowly. */
  readonly dropped: () => number;
  close(): void;
}

const limits: SanitiseLimits = { depth: 10, text: 2_000, items: 200 };
const maxWaiting = 500;
const maxActors = 2_000;
/** Bytes that the socket may hold back before messages are dropped. */
const maxUnsent = 4 * 1024 * 1024;
const maxRetryMs = 30_000;

export const createInspectorBridge = ({ url, onTrouble = () => {}, retryMs = 1_000 }: InspectorBridgeOptions): InspectorBridge => {
  const waiting: string[] = [];
  const actors = new Map<string, string>();
  let socket: WebSocket | null = null;
  let timer: NodeJS.Timeout | undefined;
  let attempts = 0;
  let dropped = 0;
  let closed = false;

  const isOpen = (): boolean => socket?.readyState === WebSocket.OPEN;

  const push = (message: string): void => {
    if (socket === null || !isOpen()) waiting.push(message);
    else if (socket.bufferedAmount < maxUnsent) socket.send(message);
    else dropped += 1;
    if (waiting.length <= maxWaiting) return;
    waiting.shift();
    dropped += 1;
  };

  const send = (event: StatelyInspectionEvent): void => {
    if (closed) return;
    const message = messageOf(event);
    if (event.type === '@xstate.actor') {
      if (actors.size < maxActors) actors.set(event.sessionId, message);
      if (!isOpen()) return;
    } else if (event.type === '@xstate.snapshot' && at(event, 'snapshot', 'status') !== 'active') actors.delete(event.sessionId);
    push(message);
  };

  const connect = (): void => {
    if (closed) return;
    try {
      const next = new WebSocket(url);
      socket = next;
      next.addEventListener('open', () => {
        attempts = 0;
        for (const message of actors.values()) next.send(message);
        for (const message of waiting.splice(0)) next.send(message);
      });
      // An error is always followed by a close.
      next.addEventListener('error', () => {});
      next.addEventListener('close', () => retry(next));
    } catch (error) {
      onTrouble(`the inspector at ${url} cannot be used: ${error instanceof Error ? error.message : String(error)}; POOL_MANAGERD_INSPECT names it`);
    }
  };

  const retry = (lost: WebSocket): void => {
    if (closed || socket !== lost) return;
    socket = null;
    if (attempts === 0) onTrouble(`no inspector listens at ${url}; trying again`);
    timer = setTimeout(connect, Math.min(retryMs * 2 ** attempts, maxRetryMs));
    timer.unref();
    attempts = Math.min(attempts + 1, 16);
  };

  const inspector = createInspector({
    send: guarded(send, () => {
      dropped += 1;
    }),
  });
  connect();

  return {
    inspect: (event) => {
      if (closed) return;
      try {
        inspector.inspect.next?.(event);
      } catch {
        dropped += 1;
      }
    },
    dropped: () => dropped,
    close: () => {
      closed = true;
      clearTimeout(timer);
      socket?.close();
      waiting.length = 0;
      actors.clear();
    },
  };
};

/** The chart's definition goes through whole; events and snapshots are for looking at. */
const messageOf = (event: StatelyInspectionEvent): string => {
  const shown = Object.assign({}, sanitise(event, limits));
  return JSON.stringify(event.type === '@xstate.actor' ? { ...shown, definition: event.definition } : shown);
};

const guarded =
  <Input>(work: (input: Input) => void, onFailure: () => void) =>
  (input: Input): void => {
    try {
      work(input);
    } catch {
      onFailure();
    }
  };
