/** What a token is called in log lines: enough to tell which one was used, not enough to be it. */
import { hash } from 'node:crypto';

const shownHex = 6;

/** The first six hex digits of its SHA-256. */
export const fingerprintOf = (token: string): string => hash('sha256', token, 'hex').slice(0, shownHex);
