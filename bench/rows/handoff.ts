/** A handoff file is renamed into place: when the API says ready, and when the control plane has the heartbeat. */
import { mkdirSync, readdirSync, renameSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startControlPlane } from '../kit/control-plane.ts';
import { startDaemon } from '../kit/daemon.ts';
import { chooseEngine, untilHealthy } from '../kit/engine.ts';
import { type House, inHouse } from '../kit/house.ts';
import { median, percentile } from '../kit/numbers.ts';
import { times } from '../kit/rounds.ts';
import type { Row } from '../kit/row.ts';
import { openWire } from '../kit/wire.ts';

const pool = 'attached';
/** Longer than the 100 ms that lie between two heartbeats. */
const quietMs = 130;

export const handoff: Row = {
  id: 'handoff',
  title: 'Handoff file renamed → ready in the API, and heartbeat received',
  method:
    'An engine runs already. A handoff file of it is renamed into the runtime directory; the moment at which `GET /v2/pools/{id}/status` says ' +
    '`ready` is that of an answer asked for once `/v2/events` has told of it, the heartbeat is timed where it arrives. Subtracted is the ' +
    "engine's own time for the two requests that the daemon asks it (`/health`, `/slots`), asked by a bare socket over one connection, right after each " +
    'round. Between rounds the pool is taken away by a handoff with `ready:false`. Interleaved: the same rename in a directory with a bare ' +
    '`fs.watch`, and one with a poller of 1 s.',
  limits:
    'By the times in the journal: from the rename to the event in the node 1 to 2 ms (six calls of the file system, each by way of a thread of ' +
    'Node), the proof of the engine 5 to 7 ms while it still made a connection for each of its two requests (now one for both; the steady probe ' +
    'asks the same two beside them), from ready to the heartbeat received 1 to 3 ms. A steady probe that begins after the proof is what is left to take.',
  quick: true,
  measure: (scale) =>
    inHouse(async (house) => {
      const engine = await chooseEngine(house);
      const bare = await engine.startBare(house);
      (await untilHealthy(bare.port)).close();
      const plane = await startControlPlane(house);
      const daemon = await startDaemon(house, { pools: [], env: { ORCHESTRATORD_URL: plane.url } });
      const events = await daemon.follow();
      const put = (ready: boolean): number =>
        renameInto(daemon.runtimeDir, { pool_id: pool, engine: 'llamacpp', endpoint: `http://127.0.0.1:${bare.port}`, slots: 2, ready });
      const watched = watchBare(house);
      const polled = pollEverySecond(house);

      const round = async () => {
        const ready = events.next('ready', ({ pool_id, to }) => pool_id === pool && to.startsWith('ready'));
        const beat = plane.heartbeats.next('a heartbeat that says ready', (heard) => heard.ready.get(pool) === true);
        const begun = put(true);
        await ready;
        const api = (await daemon.confirm(pool, true)) - begun;
        const heartbeat = (await beat).at - begun;
        const answers = await ownAnswers(bare.port);
        const watch = await watched();
        polled.put();
        await wait(quietMs);
        const gone = plane.heartbeats.next('a heartbeat that says not ready', (heard) => heard.ready.get(pool) === false);
        put(false);
        await gone;
        await wait(quietMs);
        return { api: api - answers, heartbeat: heartbeat - answers, watch, answers };
      };

      const rounds = await times(scale === 'full' ? 120 : 15, round, { warmUp: 5 });
      const of = (key: keyof (typeof rounds)[number]): number[] => rounds.map((one) => one[key]);
      const watch = { what: 'bare fs.watch', figure: median(of('watch')) };
      const whole = rounds.map((one) => Math.max(one.api, one.heartbeat));
      return {
        findings: [
          finding('api.p50', 'ready in the API, p50', median(of('api')), watch, 5),
          finding('heartbeat.p50', 'heartbeat received, p50', median(of('heartbeat')), watch, 5),
          finding('both.p99', 'both, p99', percentile(whole, 99), null, 20),
          finding('watch', 'bare fs.watch, p50', watch.figure, null, null),
          finding('poller', 'a poller of 1 s, p50', median(polled.seen()), null, null),
          finding('answers', "the engine's own answers (subtracted), p50", median(of('answers')), null, null),
        ],
        remarks: [engine.remark, `${rounds.length} rounds.`],
      };
    }),
};

const finding = (
  key: string,
  what: string,
  figure: number,
  against: { readonly what: string; readonly figure: number } | null,
  limit: number | null,
) => ({
  key: `handoff.${key}`,
  what,
  figure,
  unit: 'ms' as const,
  better: 'less' as const,
  against,
  aim: limit === null ? null : { of: 'figure' as const, limit },
});

let written = 0;

/** Returns the moment right before the rename. */
const renameInto = (dir: string, content: object): number => {
  written += 1;
  const temporary = join(dir, `.${written}.tmp`);
  writeFileSync(temporary, JSON.stringify(content));
  const begun = performance.now();
  renameSync(temporary, join(dir, `${pool}-r0.json`));
  return begun;
};

/** As the daemon asks: over one connection. */
const ownAnswers = async (port: number): Promise<number> => {
  const begun = performance.now();
  const wire = await openWire(port);
  for (const path of ['/health', '/slots']) await wire.send('GET', path);
  wire.close();
  return performance.now() - begun;
};

const watchBare = (house: House): (() => Promise<number>) => {
  const dir = join(house.dir, 'watched');
  mkdirSync(dir);
  let seen: (at: number) => void = () => undefined;
  const watcher = watch(dir, (_kind, name) => {
    if (name === `${pool}-r0.json`) seen(performance.now());
  });
  house.atEnd(() => watcher.close());
  return async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    seen = resolve;
    const begun = renameInto(dir, {});
    return (await promise) - begun;
  };
};

const pollEverySecond = (house: House) => {
  const dir = join(house.dir, 'polled');
  mkdirSync(dir);
  const times: number[] = [];
  let waiting: number | null = null;
  const timer = setInterval(() => {
    if (waiting === null || readdirSync(dir).length === 0) return;
    times.push(performance.now() - waiting);
    waiting = null;
    rmSync(join(dir, `${pool}-r0.json`));
  }, 1_000);
  house.atEnd(() => clearInterval(timer));
  return {
    /** One file at a time. */
    put: (): void => {
      waiting ??= renameInto(dir, {});
    },
    seen: () => times,
  };
};
