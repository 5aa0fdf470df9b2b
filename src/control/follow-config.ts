/**
 * Follows the pools file: reads it again when it has changed and been quiet for a moment, or when told to, and tells the node.
 *
 * Where it cannot be watched it is looked at. A file that is not valid is told as such and changes nothing. Never two readings at
 * once. What changed between the first reading of the file and the watching of it is found when the watching begins.
 */
import { type FSWatcher, watch } from 'chokidar';
import { stamp } from '../clock.ts';
import type { PoolsResult } from '../config/pools-file.ts';
import type { PoolSpec } from '../machines/vocabulary.ts';
import type { NodeRef } from './live-views.ts';

export interface FollowConfigOptions {
  readonly file: string;
  readonly load: () => PoolsResult;
  /** What the node was started with. */
  readonly known: readonly PoolSpec[];
  /** The node has raised them; until then it is told of no change. */
  readonly raised: Promise<void>;
  readonly hashOf: (spec: PoolSpec) => string;
  readonly node: NodeRef;
  readonly warn: (line: string) => void;
}

export interface FollowingConfig {
  /** Reads the file now; one line per mistake. */
  reload(): readonly string[];
  close(): Promise<void>;
}

/** An editor's several writes are one change. */
const quietMs = 250;
/** Where inotify has no more to give. */
const pollMs = 1_000;

export const followConfig = ({ file, load, known, raised, hashOf, node, warn }: FollowConfigOptions): FollowingConfig => {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const reload = (): readonly string[] => {
    clearTimeout(timer);
    if (closed) return [];
    const loaded = load();
    if (!loaded.ok) {
      node.send({ type: 'pools.rejected', mistakes: loaded.mistakes, ...stamp() });
      return loaded.mistakes;
    }
    for (const line of loaded.warnings) warn(line);
    node.send({ type: 'pools.configured', pools: loaded.pools.map((spec) => ({ spec, specHash: hashOf(spec) })), ...stamp() });
    return [];
  };

  const isKnown = (pools: readonly PoolSpec[]): boolean => pools === known || JSON.stringify(pools) === JSON.stringify(known);
  const catchUp = (): void => {
    const loaded = load();
    if (!loaded.ok || !isKnown(loaded.pools)) reload();
  };

  const onceRaised = (act: () => void): void => void raised.then(() => closed || act());
  const begin = (usePolling: boolean): FSWatcher =>
    watch(file, { ignoreInitial: true, persistent: false, usePolling, interval: pollMs })
      .on('ready', () => onceRaised(catchUp))
      .on('all', () => {
        clearTimeout(timer);
        timer = setTimeout(() => onceRaised(reload), quietMs);
      })
      .on('error', (thrown) => {
        if (usePolling) return warn(`the pools file ${file} is not watched any more: ${String(thrown)}; send SIGHUP after a change`);
        warn(`the pools file ${file} is looked at every ${pollMs} ms, since it cannot be watched: ${String(thrown)}`);
        void watcher.close();
        if (!closed) watcher = begin(true);
      });
  let watcher = begin(false);
  return {
    reload,
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await watcher.close();
    },
  };
};
