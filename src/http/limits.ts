/** Numbers that bound what one client can cost. Bytes and milliseconds. */
export const longestBody = 64 * 1024;

export const serverLimits = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  /** Node looks at the two above only so often. */
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
  /** More is answered 431. */
  maxHeaderSize: 8192,
  maxConnections: 256,
} as const;

/** For a client to speak TLS. */
export const handshakeMs = 5_000;

export const streamLimits = {
  clients: 64,
  /** What is kept for one client that does not read. */
  queuedBytes: 64 * 1024,
  heartbeatMs: 15_000,
  /** A client that takes nothing for so long while something waits for it is cut off. */
  stalledMs: 30_000,
} as const;
