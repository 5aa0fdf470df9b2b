/** What every handler finds in `c.env`: Node's request and response, and the correlation id that the gate chose. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly correlationId: string;
}

export interface AppEnv {
  readonly Bindings: Exchange;
}
