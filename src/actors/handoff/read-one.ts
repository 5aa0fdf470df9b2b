/**
 * Reads one handoff file as one consistent content: what it is before and after the reading must be the same.
 *
 * `gone` and `changing` are not mistakes: the next scan looks again. Never rejects.
 */
import { join } from 'node:path';
import type { EndpointRules } from '../../engines/endpoint.ts';
import { readTextSafely } from '../../os/read-safely.ts';
import { identityOf, isMissing } from './identity.ts';
import { type Parsed, parseHandoff } from './parse.ts';

export type Read = Parsed | { readonly kind: 'gone' } | { readonly kind: 'changing' };

const mostBytes = 64 * 1024;

export const readHandoff = async (dir: string, name: string, identity: string, rules: EndpointRules): Promise<Read> => {
  const path = join(dir, name);
  try {
    const { text } = await readTextSafely(path, { maxBytes: mostBytes });
    if ((await identityOf(path)) !== identity) return { kind: 'changing' };
    return parseHandoff(name, text, rules);
  } catch (thrown) {
    if (isMissing(thrown)) return { kind: 'gone' };
    // One that was replaced while it was open has no name any more.
    if ((await identityOf(path).catch(() => identity)) !== identity) return { kind: 'changing' };
    return { kind: 'invalid', message: thrown instanceof Error ? thrown.message : String(thrown) };
  }
};
