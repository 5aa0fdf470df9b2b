/**
 * What the daemon refuses is told in its words, which are those of its API: one of its commands has another name on the command
 * line. Pure. A message that is not known goes through as it is.
 */
export const inOwnWords = (message: string): string =>
  message.replace(/\bpreload starts\b/, '"pool-managerd start" starts').replace(/\bfor preload,/, 'for start,');
