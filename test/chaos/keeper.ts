/**
 * Keeps one daemon of a state directory up, lets it die when told to, and has each of its lives judged when it has ended.
 *
 * A daemon that ends without having been told to is a violation; what it left is still there for the next one.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Beginning, Daemon, Ended, OpenHouse } from '../kit/daemon.ts';
import { fakeClockIn } from '../kit/fake-clock.ts';
import { followLives, type LifeReport } from './lives.ts';
import type { Said } from './look.ts';

export interface Keeper {
  /** Up and not paused; null else. */
  daemon(): Daemon | null;
  pids(): ReadonlySet<number>;
  start(): Promise<void>;
  /** Ends it and has its life judged. */
  end(signal: 'SIGKILL' | 'SIGTERM', last: Said | null): Promise<void>;
  /** Started, and killed after so many milliseconds, whatever it is at. */
  killStarting(afterMs: number): Promise<void>;
  pause(ms: number): Promise<void>;
  /** Seconds that its wall clock is off from now on; nothing where clocks cannot be faked. */
  jumpClock(seconds: number): void;
  /** Kills it; nothing of it is judged any more. */
  letGo(): Promise<void>;
  readonly lives: readonly LifeReport[];
}

export interface KeeperDeps {
  readonly house: OpenHouse;
  readonly env: Readonly<Record<string, string>>;
  readonly violated: (text: string) => void;
}

const longestEndMs = 15_000;

export const keepDaemon = ({ house, env, violated }: KeeperDeps): Keeper => {
  const lives: LifeReport[] = [];
  const pids = new Set<number>();
  const journal = followLives(house.stateDir);
  const clock = fakeClockIn(house.dir);
  let current: { readonly beginning: Beginning; readonly daemon: Daemon; expected: boolean } | null = null;
  let paused = false;

  const begin = (): Beginning => {
    const beginning = house.begin({ ...env, ...clock.env });
    pids.add(beginning.pid);
    return beginning;
  };

  const judge = (last: Said | null): void => {
    const life = journal.read(last);
    lives.push(life);
    for (const problem of life.problems) violated(problem);
  };

  const start = async (): Promise<void> => {
    const beginning = begin();
    const daemon = await beginning.up();
    const life = { beginning, daemon, expected: false };
    current = life;
    void beginning.ended.then((ended) => {
      if (life.expected) return;
      current = null;
      violated(`the daemon ended by itself with ${ended.code ?? ended.signal}: ${ended.stderr.slice(-2_000)}`);
    });
  };

  const end = async (signal: 'SIGKILL' | 'SIGTERM', last: Said | null): Promise<void> => {
    const life = current;
    if (life === null) return;
    life.expected = true;
    current = null;
    life.beginning.signal(signal);
    const ended = await Promise.race([life.beginning.ended, wait(longestEndMs, null, { ref: false })]);
    if (ended === null) {
      violated(`the daemon did not end within ${longestEndMs} ms of ${signal}`);
      life.beginning.signal('SIGKILL');
      await life.beginning.ended;
    } else if (signal === 'SIGTERM' && ended.code !== 0) violated(`the daemon ended with ${said(ended)} on SIGTERM`);
    else if (ended.stderr.includes('a bug of pool-managerd')) violated(`the daemon said at its end: ${ended.stderr.slice(-2_000)}`);
    for (const { msg, level } of life.daemon.log()) if (level === 'fatal') violated(`the daemon said: ${msg}`);
    judge(signal === 'SIGKILL' ? last : null);
  };

  return {
    daemon: () => (paused ? null : (current?.daemon ?? null)),
    pids: () => pids,
    start,
    end,
    killStarting: async (afterMs) => {
      const beginning = begin();
      await wait(afterMs);
      beginning.signal('SIGKILL');
      const { code, stderr } = await beginning.ended;
      if (code !== null) violated(`a starting daemon ended by itself with ${code}: ${stderr.slice(-2_000)}`);
      judge(null);
    },
    pause: async (ms) => {
      const life = current;
      paused = true;
      life?.beginning.signal('SIGSTOP');
      await wait(ms);
      life?.beginning.signal('SIGCONT');
      paused = false;
    },
    jumpClock: clock.set,
    letGo: async () => {
      if (current === null) return;
      current.expected = true;
      current.beginning.signal('SIGKILL');
      await current.beginning.ended;
    },
    lives,
  };
};

const said = ({ code, signal, stderr }: Ended): string => `${code ?? signal} ${stderr.slice(-500)}`;
