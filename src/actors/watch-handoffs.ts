/**
 * Watches the runtime directory for handoff files: a rescan at an interval as the base, inotify as the hint that makes it at
 * once. Told what became of a file, it deletes or keeps it. Never two looks at the same time.
 *
 * Undo: stops looking; files are left as they are.
 */
import { fromCallback } from 'xstate';
import { stamp } from '../clock.ts';
import type { HandoffEvent } from '../machines/events.ts';
import type { nodeActors } from '../machines/node/actors.ts';
import type { HandoffOutcome } from '../machines/vocabulary.ts';
import { makeHints } from './handoff/hints.ts';
import { type InboxOptions, type LookKind, makeInbox } from './handoff/inbox.ts';

export interface WatchHandoffsDeps extends InboxOptions {
  /** POOL_MANAGERD_WATCH_INTERVAL_MS. */
  readonly intervalMs: number;
}

type Settled = { readonly type: 'handoff.settled'; readonly file: string; readonly outcome: HandoffOutcome };

export const watchHandoffs = (deps: WatchHandoffsDeps): typeof nodeActors.watchHandoffs =>
  fromCallback<Settled, Record<string, never>>(({ sendBack, receive }) => {
    let stopped = false;
    let timer: NodeJS.Timeout | undefined;
    let queue: Promise<void> = Promise.resolve();
    let hintWaits = false;
    let lastTrouble: string | null = null;

    const send = (event: HandoffEvent): void => {
      if (!stopped) sendBack(event);
    };
    /** A directory that cannot be read is said once, not at every rescan. */
    const trouble = (message: string | null): void => {
      if (message !== null && message !== lastTrouble) send({ type: 'handoff.rejected', file: '.', message, ...stamp() });
      lastTrouble = message;
    };
    const inbox = makeInbox(deps, send);
    const inTurn = (job: () => Promise<void>): Promise<void> => {
      queue = queue.then(async () => {
        if (!stopped) await job();
      });
      return queue;
    };
    const look = (kind: LookKind): Promise<void> =>
      inTurn(async () => {
        hintWaits = false;
        trouble(
          await inbox.look(kind).then(
            () => null,
            (thrown: unknown) => `cannot read ${deps.runtimeDir}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
          ),
        );
      });
    const hints = makeHints(deps.runtimeDir, () => {
      if (hintWaits || stopped) return;
      hintWaits = true;
      void look('hinted');
    });

    /** Watches before it looks, so that nothing falls between. */
    const rescan = async (): Promise<void> => {
      await hints.renew();
      await look('rescan');
      if (!stopped) timer = setTimeout(() => void rescan(), deps.intervalMs);
    };

    receive(({ file, outcome }) => void inTurn(() => inbox.settle(file, outcome)));
    void rescan();
    return () => {
      stopped = true;
      clearTimeout(timer);
      hints.close();
    };
  });
