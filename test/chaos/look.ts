/** One look at everything from outside: processes, run records, what the API says, whether ready endpoints answer. */
import { stamp } from '../../src/clock.ts';
import type { GpuView, NodeView, PoolStatus } from '../../src/machines/views.ts';
import type { Daemon } from '../kit/daemon.ts';
import { type EngineProcess, engineProcesses, openFiles, type Recorded, runRecords } from './outside.ts';

export interface Look {
  /** Monotonic milliseconds of whoever looks. */
  readonly mono: number;
  readonly processes: readonly EngineProcess[];
  readonly records: readonly Recorded[];
  /** Null: no daemon is up, or it is paused. */
  readonly api: Said | null;
  /** Why a daemon that is up did not answer; null: it did, or there is none. */
  readonly silence: string | null;
}

export interface Said {
  readonly pools: readonly PoolStatus[];
  readonly gpus: readonly GpuView[];
  readonly node: NodeView;
  /** Ready pools whose endpoint did not answer, and those where somebody else did. */
  readonly deafEndpoints: ReadonlySet<string>;
  readonly foreignEndpoints: ReadonlySet<string>;
  readonly openFiles: number;
  /** When the first question was sent, by the clock of the journal. */
  readonly askedMono: number;
}

export interface Subject {
  readonly stateDir: string;
  readonly daemonPids: () => ReadonlySet<number>;
  readonly daemon: () => Daemon | null;
}

const answerMs = 3_000;
const endpointMs = 1_000;

export const lookAt = async ({ stateDir, daemonPids, daemon }: Subject): Promise<Look> => {
  // Records first: an engine that ends in between leaves a record without a process, which is legal for a while.
  const records = runRecords(stateDir);
  const processes = engineProcesses(stateDir, daemonPids());
  const asked = daemon();
  const said = asked === null ? null : await ask(asked).catch((thrown: unknown) => String(thrown));
  const stillThere = daemon() === asked;
  return {
    mono: performance.now(),
    processes,
    records,
    api: typeof said === 'string' ? null : said,
    silence: typeof said === 'string' && stillThere ? said : null,
  };
};

const ask = async (daemon: Daemon): Promise<Said> => {
  const askedMono = stamp().mono;
  const [pools, gpus, node] = await within(answerMs, Promise.all([daemon.pools(), daemon.gpus(), daemon.node()]));
  const heard = await Promise.all(pools.map(async (pool) => ({ id: pool.pool_id, who: await whoAnswers(pool) })));
  const those = (who: Answering): ReadonlySet<string> => new Set(heard.filter((one) => one.who === who).map(({ id }) => id));
  return { pools, gpus, node, deafEndpoints: those('nobody'), foreignEndpoints: those('impostor'), openFiles: openFiles(daemon.pid), askedMono };
};

const within = <T>(ms: number, asked: Promise<T>): Promise<T> => {
  const late = Promise.withResolvers<T>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${ms} ms`)), ms);
  return Promise.race([asked, late.promise]).finally(() => clearTimeout(timer));
};

/** What impostors send with each answer. */
export const impostorHeader = 'x-impostor';

type Answering = 'engine' | 'impostor' | 'nobody';

/** Any answer will do: what it says is the probes' business. */
const whoAnswers = async ({ ready, endpoint, origin }: PoolStatus): Promise<Answering> => {
  if (!ready) return 'engine';
  if (endpoint === null) return 'nobody';
  try {
    const response = await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(endpointMs) });
    await response.arrayBuffer();
    return origin !== 'attached' && response.headers.has(impostorHeader) ? 'impostor' : 'engine';
  } catch (thrown) {
    // An engine that talks nonsense is there; whether it may be ready is for the probes.
    return thrown instanceof Error && 'cause' in thrown && thrown.cause instanceof Error && thrown.cause.name === 'HTTPParserError'
      ? 'engine'
      : 'nobody';
  }
};
