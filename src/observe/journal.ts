/**
 * The journal: every event that a machine of ours received, and apart from it, kept longer, every change of state.
 *
 * `<state>/journal/events.jsonl` is a ring of two files, `transitions.jsonl` of several. One sequence for both, going on over
 * restarts. A line is written before the observer returns. Reading never waits for writing and never throws for damage.
 * What cannot be written is counted, and said in the file as soon as it can be; transitions are kept in memory until then.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { JournalPort, TransitionRecord } from '../http/ports.ts';
import { rfc3339 } from '../machines/policies/describe.ts';
import { isAfter, lastSeqOf, recall, scan } from './journal-disk.ts';
import {
  checkpointLine,
  eventLine,
  type Gap,
  gapLine,
  journalForm,
  type LastSeen,
  lastSeenOf,
  outcomeOf,
  transitionRecord,
} from './journal-lines.ts';
import { reasonOf, watchTrouble } from './journal-trouble.ts';
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
  /** It cannot be written, in a sentence for people. */
  readonly onFailing?: (error: unknown, message: string) => void;
  /** It is written again; so many events are missing. */
  readonly onKept?: (missing: number) => void;
  /** How often it is looked whether it can be written again. */
  readonly retryMs?: number;
}

export interface Journal extends JournalPort, Observer {
  /** Sequence number of the last line; 0 when there is none. */
  lastSeq(): number;
  /** Why no history is being kept, for people; null: it is. */
  trouble(): string | null;
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

  let opened = false;
  let gap: Gap | null = null;
  const open = (): void => {
    if (opened) return;
    events.append(opening());
    opened = true;
  };
  /** A fold goes on from the checkpoints: what actors did meanwhile is not to be had. */
  const closeGap = (): void => {
    open();
    if (gap === null) return;
    events.append(gapLine(nextSeq(), gap));
    for (const seen of latest.values()) events.append(checkpointLine(nextSeq(), seen));
    gap = null;
  };
  const unwritten: TransitionRecord[] = [];
  const writeTransitions = (): void => {
    for (let [record] = unwritten; record !== undefined; [record] = unwritten) {
      transitions.append(JSON.stringify(record));
      unwritten.shift();
    }
  };
  const trouble = watchTrouble({
    directory,
    retryMs: options.retryMs ?? 2_000,
    retry: () => {
      closeGap();
      writeTransitions();
    },
    onFailing: (error, message) => options.onFailing?.(error, message),
    onKept: (missing) => options.onKept?.(missing),
  });
  /** What it throws; undefined: nothing. */
  const attempt = (write: () => void): { readonly error: unknown } | undefined => {
    try {
      write();
      return undefined;
    } catch (error) {
      trouble.failed(error);
      return { error };
    }
  };
  const miss = (seq: number, { at }: LastSeen, error: unknown): void => {
    trouble.missed();
    gap = gap === null ? { after: seq - 1, missing: 1, since: at, error: reasonOf(error) } : { ...gap, missing: gap.missing + 1 };
  };
  attempt(open);

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
      // Memory has what comes then, also what could not be written.
      const before = (memory.records[0]?.seq ?? 0) - 1;
      const old = await scan(transitions.files(), maxReplayed, (line) => isAfter(line, follower.cursor) && !isAfter(line, before));
      for (const record of old) deliver(follower, record);
      follower.cursor = Math.max(follower.cursor, before);
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
      const before = attempt(closeGap);
      const seq = nextSeq();
      const failure = before ?? attempt(() => events.append(eventLine(seq, seen)));
      let unkept: ReturnType<typeof attempt>;
      if (failure !== undefined) miss(seq, seen, failure.error);
      if (seen.snapshot.status === 'active' && !seen.failed) latest.set(seen.actorId, lastSeenOf(seen));
      else latest.delete(seen.actorId);
      if (seen.changed || outcomeOf(seen) !== null) {
        const record = transitionRecord(seq, seen);
        unwritten.push(record);
        if (unwritten.length > remembered) unwritten.shift();
        unkept = attempt(writeTransitions);
        remember(record);
        for (const follower of followers) if (follower.live) deliver(follower, record);
      }
      const failed = failure ?? unkept;
      if (failed !== undefined) throw failed.error;
    },
    poolEvents: async (poolId, { limit, before }) => {
      const wanted = (record: TransitionRecord): boolean => record.pool_id === poolId && (before === null || record.seq < before);
      const inMemory = memory.records.filter(wanted).slice(-limit);
      if (limit <= 0 || inMemory.length >= limit || memory.whole) return limit <= 0 ? [] : inMemory.reverse();
      const mark = `"pool_id":${JSON.stringify(poolId)}`;
      const found = await scan(transitions.files(), limit, (line) => line.includes(mark), wanted);
      // What could not be written is in memory only.
      const all = new Map([...found, ...inMemory].map((record) => [record.seq, record]));
      return [...all.values()].sort((one, other) => other.seq - one.seq).slice(0, limit);
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
    trouble: () => trouble.message(),
    close: () => {
      if (closed) return;
      trouble.close();
      closed = true;
      for (const follower of followers) follower.stopped = true;
      followers.clear();
      events.close();
      transitions.close();
    },
  };
};
