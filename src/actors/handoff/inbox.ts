/**
 * What is known of the files in the runtime directory, and one look at all of them. Each content is handled once.
 *
 * A file that is not JSON is one still being written for `tornRescans` rescans, then a mistake. Knows no watcher and no timer.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assertNever } from '../../cause.ts';
import { stamp } from '../../clock.ts';
import type { EndpointRules } from '../../engines/endpoint.ts';
import type { HandoffEvent } from '../../machines/events.ts';
import type { HandoffOutcome } from '../../machines/vocabulary.ts';
import { deleteConsumed, pruneRejected, setAside } from './dispose.ts';
import { isHandoffName } from './file-name.ts';
import { identityOf, isMissing } from './identity.ts';
import { readHandoff } from './read-one.ts';

export interface InboxOptions {
  readonly runtimeDir: string;
  readonly autoDelete: boolean;
  readonly rules: EndpointRules;
}

/** `rescan`: by the clock, not by a hint. Only rescans count towards giving a torn file up. */
export type LookKind = 'rescan' | 'hinted';

interface Known {
  readonly identity: string;
  readonly handled: boolean;
  /** Rescans that found this content torn. */
  readonly torn: number;
}

export interface Inbox {
  look(kind: LookKind): Promise<void>;
  settle(file: string, outcome: HandoffOutcome): Promise<void>;
}

const tornRescans = 3;
/** Files read side by side: a burst of thousands is read within a second, without as many open files. */
const atOnce = 64;

export const makeInbox = ({ runtimeDir, autoDelete, rules }: InboxOptions, send: (event: HandoffEvent) => void): Inbox => {
  const known = new Map<string, Known>();
  let setSomeAside = false;

  const lookAt = async (name: string, kind: LookKind): Promise<void> => {
    const identity = await identityOf(join(runtimeDir, name));
    if (identity === null) return void known.delete(name);
    const before = known.get(name);
    const same = before?.identity === identity;
    if (same && before.handled) return;
    const read = await readHandoff(runtimeDir, name, identity, rules);
    switch (read.kind) {
      case 'gone':
      case 'changing':
        return;
      case 'torn': {
        const torn = (same ? before.torn : 0) + (kind === 'rescan' ? 1 : 0);
        if (torn > tornRescans) return reject(name, identity, `${read.message}, unchanged for ${tornRescans} rescans`);
        return void known.set(name, { identity, handled: false, torn });
      }
      case 'note':
        return void known.set(name, { identity, handled: true, torn: 0 });
      case 'invalid':
        return reject(name, identity, read.message);
      case 'handoff':
        known.set(name, { identity, handled: true, torn: 0 });
        return send({ type: 'handoff.appeared', handoff: read.handoff, ...stamp() });
      default:
        return assertNever(read);
    }
  };

  /** Handled also where it cannot be moved, so that it never loops. */
  const reject = async (name: string, identity: string, reason: string): Promise<void> => {
    known.set(name, { identity, handled: true, torn: 0 });
    const moved = await tried(() => setAside(runtimeDir, name, identity, reason));
    setSomeAside ||= moved === null;
    send({ type: 'handoff.rejected', file: name, message: moved === null ? reason : `${reason}; it could not be set aside: ${moved}`, ...stamp() });
  };

  const tidy = async (): Promise<void> => {
    if (!setSomeAside) return;
    setSomeAside = false;
    await pruneRejected(runtimeDir);
  };

  /** The content last said is what is deleted: an older settlement finds a newer content that its pool was told of as well. */
  const consume = async (name: string): Promise<void> => {
    const identity = known.get(name)?.identity;
    if (!autoDelete || identity === undefined) return;
    const kept = await tried(() => deleteConsumed(runtimeDir, name, identity));
    if (kept !== null) send({ type: 'handoff.rejected', file: name, message: `it was consumed but could not be deleted: ${kept}`, ...stamp() });
  };

  return {
    look: async (kind) => {
      const names = (await namesIn(runtimeDir)).filter(isHandoffName);
      for (let at = 0; at < names.length; at += atOnce) {
        await Promise.all(names.slice(at, at + atOnce).map((name) => lookAt(name, kind)));
        await tidy();
      }
      const present = new Set(names);
      for (const name of known.keys()) if (!present.has(name)) known.delete(name);
    },
    settle: async (name, outcome) => {
      switch (outcome) {
        case 'accepted':
        case 'attached':
        case 'not_ready':
          return consume(name);
        case 'ignored':
        case 'stale':
          return;
        case 'rejected': {
          const identity = known.get(name)?.identity;
          return identity === undefined ? undefined : reject(name, identity, 'refused by its pool');
        }
        default:
          return assertNever(outcome);
      }
    },
  };
};

/** The directory is made again where somebody removed it: writers need it as much as we do. */
const namesIn = async (dir: string): Promise<readonly string[]> => {
  try {
    return await readdir(dir);
  } catch (thrown) {
    if (!isMissing(thrown)) throw thrown;
    await mkdir(dir, { recursive: true, mode: 0o770 });
    return [];
  }
};

/** What went wrong; null: nothing. */
const tried = async (act: () => Promise<void>): Promise<string | null> => {
  try {
    await act();
    return null;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
};
