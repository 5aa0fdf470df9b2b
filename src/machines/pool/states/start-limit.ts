/** What a start that takes too long comes to. */

export const tooLate = { code: 'start_timeout', message: 'not ready within the limit for its size; timeouts.start_max_ms changes it' } as const;

export const startTimedOut = {
  target: '#pool.draining.stopping',
  actions: [
    { type: 'blame', params: { cause: tooLate } },
    { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
  ],
} as const;
