/** Everything that watches the charts at work, opened and closed together: journal, log lines, metrics, inspectors. */
import type { InspectionEvent } from 'xstate';
import type { InspectPort, MetricsPort } from '../http/ports.ts';
import { createInspectFeed } from './inspect-feed.ts';
import { createInspectorBridge } from './inspector-bridge.ts';
import { type Journal, openJournal } from './journal.ts';
import { createLogLines } from './log-lines.ts';
import { forPart, type Logger } from './logger.ts';
import type { Views } from './metric-readings.ts';
import { createMetrics } from './metrics.ts';
import { createInspector, type Observer } from './observe.ts';

export interface ObserversOptions {
  readonly stateDir: string;
  readonly nodeId: string;
  readonly version: string;
  readonly bootId: string;
  /** Read at each scrape. */
  readonly views: Views;
  readonly logger: Logger;
  /** POOL_MANAGERD_INSPECT; null: nobody looks on. */
  readonly inspectUrl: string | null;
  readonly others: readonly Observer[];
}

export interface Observers {
  /** For `createActor(machine, { inspect })`. Never throws. */
  readonly inspect: (event: InspectionEvent) => void;
  readonly journal: Journal;
  readonly metrics: MetricsPort;
  readonly lookOn: InspectPort;
  close(): void;
}

export const openObservers = (options: ObserversOptions): Observers => {
  const { stateDir, nodeId, version, bootId, views, logger, inspectUrl, others } = options;
  const log = forPart(logger, 'observe');
  const journal = openJournal({
    stateDir,
    nodeId,
    version,
    bootId,
    onFollowerFailure: (error) => log.error({ err: error }, 'a reader of the journal failed and was cut off'),
    onFailing: (error, message) => log.error({ err: error, observer: 'journal' }, `the journal cannot be written: ${message}`),
    onKept: (missing) => log.info({ missing }, keptText(missing)),
  });
  const feed = createInspectFeed();
  const metrics = createMetrics({
    nodeId,
    views,
    failures: () => new Map([...inspector.failures(), ...(feed.failures() === 0 ? [] : [['inspect feed', feed.failures()] as const])]),
  });
  const inspector = createInspector([journal, metrics, createLogLines(logger), ...others], {
    onFailure: (observer, error) => {
      // Told in its own words, each time that it begins.
      if (observer === journal.name && journal.trouble() !== null) return;
      log.error({ err: error, observer }, 'an observer failed; it is tried again at the next event');
    },
  });
  const bridge =
    inspectUrl === null ? null : createInspectorBridge({ url: inspectUrl, onTrouble: (message) => forPart(logger, 'inspector').warn(message) });
  return {
    inspect: (event) => {
      inspector.inspect(event);
      feed.inspect(event);
      bridge?.inspect(event);
    },
    journal,
    metrics,
    lookOn: feed,
    close: () => {
      bridge?.close();
      journal.close();
    },
  };
};

const keptText = (missing: number): string => {
  const kept = 'the journal is written again';
  if (missing === 0) return `${kept}; no event is missing`;
  return missing === 1 ? `${kept}; 1 event is missing, which it says` : `${kept}; ${missing} events are missing, which it says`;
};
