/**
 * The journal: every event that a machine of ours received, and apart from it, kept longer, every change of state.
 *
 * `<state>/journal/events.jsonl` is a ring of two files, `transitions.jsonl` of several. One sequence for both, going on over
 * restarts. A line is written before the observer returns. Reading never waits for writing and never throws for damage.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { JournalPort, TransitionRecord } from '../http/ports.ts';
import { rfc3339 } from '../machines/policies/describe.ts';
import { isAfter, lastSeqOf, recall, scan } from './journal-disk.ts';
import { checkpointLine, eventLine, journalForm, type LastSeen, lastSeenOf, outcomeOf, transitionRecord } from './journal-lines.ts';
import type { Observer } from './observe.ts';
import { openSegments, segmentFiles } from './segments.ts';

export interface JournalOptions {
  /** `<state>`; the journal lies in `journal/` below it. */
  readonly stateDir: string;
  readonly nodeId: string;
  readonly version: string;
  readonly bootId: string;
  /** Bytes of one file of all events (two are kept) and of transitions (four are kept). */
  readonly maxEventBytes?: number;
  readonly maxTransitionBytes?: number;
  /** A follower threw: it is cut off. */
  readonly onFollowerFailure?: (error: unknown) => void;
}

export interface Journal extends JournalPort, Observer {
  /** Sequence number of the last line; 0 when there is none. */
  lastSeq(): number;
  /** Writes to disk and closes. Followers hear nothing more. */
  close(): void;
}

const eventFiles = 2;
const transitionFiles = 4;
const remembered = 4096;
/** At most so many old records are given to one follower; the newest of them. */
const maxReplayed = 10_000;
const mebibyte = 1024 * 1024;

interface Follower {
  cursor: number;
  live: boolean;
  stopped: boolean;
  readonly listener: (record: TransitionRecord) => void;
}

export const openJournal = (options: JournalOptions): Journal => {
  const directory = join(options.stateDir, 'journal');
  mkdirSync(directory, { recursive: true, mode: 0o750 });
  const latest = new Map<string, LastSeen>();
  const followers = new Set<Follower>();
  let closed = false;

  const transitions = openSegments({
    directory,
    name: 'transitions',
    maxBytes: options.maxTransitionBytes ?? 32 * mebibyte,
    keep: transitionFiles,
  });
  const events = openSegments({
    directory,
    name: 'events',
    maxBytes: options.maxEventBytes ?? 64 * mebibyte,
    keep: eventFiles,
    head: () => [opening(), ...[...latest.values()].map((seen) => checkpointLine(nextSeq(), seen))],
  });

  const memory = recall(transitions.files(), remembered);
  let lastSeq = Math.max(memory.records.at(-1)?.seq ?? 0, ...segmentFiles(directory, 'events', eventFiles).map(lastSeqOf));
  const nextSeq = (): number => {
    lastSeq += 1;
    return lastSeq;
  };
  const opening = (): string => {
    const { version, nodeId, bootId } = options;
    return JSON.stringify({
      seq: nextSeq(),
      at: rfc3339(Date.now()),
      opened: { journal: journalForm, version, node_id: nodeId, boot_id: bootId, pid: process.pid, continues: latest.size > 0 },
    });
  };
  events.append(opening());

  const remember = (record: TransitionRecord): void => {
    memory.records.push(record);
    if (memory.records.length <= remembered) return;
    memory.records.splice(0, memory.records.length - remembered);
    memory.whole = false;
  };

  const deliver = (follower: Follower, record: TransitionRecord): void => {
    if (follower.stopped || record.seq <= follower.cursor) return;
    follower.cursor = record.seq;
    try {
      follower.listener(record);
    } catch (error) {
      follower.stopped = true;
      followers.delete(follower);
      options.onFollowerFailure?.(error);
    }
  };

  const catchUp = async (follower: Follower): Promise<void> => {
    while (!follower.stopped && !memory.whole && follower.cursor + 1 < (memory.records[0]?.seq ?? 0)) {
      const old = await scan(transitions.files(), maxReplayed, (line) => isAfter(line, follower.cursor));
      for (const record of old) deliver(follower, record);
      if (old.length === 0) break;
    }
    // Listeners may cause transitions of their own: until nothing is left.
    while (!follower.stopped && follower.cursor < (memory.records.at(-1)?.seq ?? 0)) {
      for (const record of [...memory.records]) deliver(follower, record);
    }
    follower.live = true;
  };

  return {
    name: 'journal',
    observe: (seen) => {
      // A closed descriptor's number may already be another file's.
      if (closed || (seen.sample && !seen.changed)) return;
      const seq = nextSeq();
      const failures: unknown[] = [];
      const attempt = (write: () => void): void => {
        try {
          write();
        } catch (error) {
          failures.push(error);
        }
      };
      attempt(() => events.append(eventLine(seq, seen)));
      if (seen.snapshot.status === 'active' && !seen.failed) latest.set(seen.actorId, lastSeenOf(seen));
      else latest.delete(seen.actorId);
      if (seen.changed || outcomeOf(seen) !== null) {
        const record = transitionRecord(seq, seen);
        attempt(() => transitions.append(JSON.stringify(record)));
        remember(record);
        for (const follower of followers) if (follower.live) deliver(follower, record);
      }
      if (failures.length > 0) throw failures[0];
    },
    poolEvents: async (poolId, { limit, before }) => {
      const wanted = (record: TransitionRecord): boolean => record.pool_id === poolId && (before === null || record.seq < before);
      const inMemory = memory.records.filter(wanted).slice(-limit);
      if (limit <= 0 || inMemory.length >= limit || memory.whole) return limit <= 0 ? [] : inMemory.reverse();
      const mark = `"pool_id":${JSON.stringify(poolId)}`;
      const found = await scan(transitions.files(), limit, (line) => line.includes(mark), wanted);
      return found.reverse();
    },
    follow: (after, listener) => {
      const follower: Follower = { cursor: after ?? lastSeq, live: after === null, stopped: false, listener };
      followers.add(follower);
      // Never before `follow` has returned: the caller may want to stop from within its listener.
      if (after !== null)
        queueMicrotask(() => {
          catchUp(follower).catch((error: unknown) => {
            follower.live = true;
            options.onFollowerFailure?.(error);
          });
        });
      return () => {
        follower.stopped = true;
        followers.delete(follower);
      };
    },
    lastSeq: () => lastSeq,
    close: () => {
      if (closed) return;
      closed = true;
      for (const follower of followers) follower.stopped = true;
      followers.clear();
      events.close();
      transitions.close();
    },
  };
};
