/**
 * What is there is taken without asking anybody, and at once: a release by URL and digest, a model by hf:, from an empty cache to
 * ready; then, with both servers gone, again and again, by a drain and a preload and by a restart of the daemon.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { median } from '../../bench/kit/numbers.ts';
import { tarGz } from '../kit/archives.ts';
import { type Daemon, daemonHouse, type House } from '../kit/daemon.ts';
import { sha256Of } from '../kit/file-server.ts';
import { type Hub, hubStandIn } from '../kit/hub.ts';
import { mayInject } from '../kit/strace.ts';

const rounds = 10;
const restarts = 5;
const aimMs = 100;

const emptyMachine = async (t: TestContext): Promise<{ readonly hub: Hub; readonly house: House }> => {
  const hub = await hubStandIn(t);
  hub.commit('org/tiny-GGUF', { 'tiny-Q4_K_M.gguf': randomBytes(2_000_000), 'tiny-Q8_0.gguf': randomBytes(10) });
  const house = await daemonHouse(t, { HF_ENDPOINT: hub.url, POOL_MANAGERD_SHUTDOWN: 'drain' });
  const archive = tarGz([{ name: 'llama/llama-server', content: readFileSync(join(house.dir, 'bin', 'llama-server')) }]);
  const binary = { url: hub.api.put('/llama.tar.gz', { content: archive }), checksum: `sha256:${sha256Of(archive)}` };
  await house.declare([house.stub('pool-0', { model: 'hf:org/tiny-GGUF', quant: 'Q4_K_M', provisioning: { mode: 'binary', binary } })]);
  return { hub, house };
};

/** Closes both servers and listens where they were: whoever tries is counted and gets no answer. */
const takeAway = async ({ api, files }: Hub, t: TestContext): Promise<{ tried(): number }> => {
  let tried = 0;
  for (const server of [api, files]) {
    await server.close();
    const deaf = createServer((socket) => {
      tried += 1;
      socket.destroy();
    });
    await new Promise<void>((listens) => deaf.listen(Number(new URL(server.url).port), '127.0.0.1', listens));
    t.onTestFinished(() => void deaf.close());
  }
  return { tried: () => tried };
};

interface Line {
  readonly machine: string;
  readonly mono: number;
  readonly state?: string;
}

/** For each start, milliseconds from `provisioning` entered to `starting` entered, as the journal has them. */
const provisioningMs = ({ stateDir }: House): readonly number[] => {
  const took: number[] = [];
  let entered: number | null = null;
  const text = readFileSync(join(stateDir, 'journal', 'events.jsonl'), 'utf8');
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const { machine, mono, state }: Line = JSON.parse(line);
    if (machine !== 'pool' || state === undefined) continue;
    if (!state.startsWith('provisioning')) {
      if (entered !== null && state.startsWith('starting')) took.push(mono - entered);
      entered = null;
    } else entered ??= mono;
  }
  return took;
};

const drain = async (daemon: Daemon): Promise<void> => {
  await daemon.ask('POST', '/v2/pools/pool-0/drain', {});
  await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
};

describe('the second start', { timeout: 240_000 }, () => {
  /** Milliseconds from `provisioning` to `starting`, by one daemon and by the next. */
  const took: { readonly inOne: number[]; readonly afterRestart: number[] } = { inOne: [], afterRestart: [] };

  it('touches no network, by the same daemon and by the next', async (t) => {
    const { hub, house } = await emptyMachine(t);
    const first = await house.start();
    await first.ready('pool-0');
    await drain(first);
    const gone = await takeAway(hub, t);

    for (let round = 0; round < rounds; round += 1) {
      await first.ask('POST', '/v2/pools/pool-0/preload');
      await first.ready('pool-0');
      await drain(first);
    }
    await first.ask('POST', '/v2/pools/pool-0/preload');
    await first.ready('pool-0');
    await first.end();
    for (let round = 0; round < restarts; round += 1) {
      const next = await house.start();
      await next.ready('pool-0');
      await next.end();
    }
    expect(gone.tried(), 'connections to where the servers were').toBe(0);

    const [empty = 0, ...again] = provisioningMs(house);
    expect(again).toHaveLength(rounds + 1 + restarts);
    took.inOne.push(...again.slice(0, rounds + 1));
    took.afterRestart.push(...again.slice(-restarts));
    console.log(`provisioning to starting, from an empty cache: ${Math.round(empty)} ms`);
  });

  it('reaches `starting` in under 100 ms, at the median', (t) => {
    const figures = Object.values(took).map((times) => `median ${median(times).toFixed(1)} ms, worst ${Math.max(...times).toFixed(1)} ms`);
    const figure = `provisioning to starting: ${figures[0]}; by a daemon that has just begun: ${figures[1]}`;
    console.log(figure);
    const [load = 0] = loadavg();
    if (load > 2 * availableParallelism()) t.skip(`${figure}; not judged at a load of ${load.toFixed(1)} on ${availableParallelism()} cores`);
    expect(median(took.inOne)).toBeLessThan(aimMs);
    expect(median(took.afterRestart)).toBeLessThan(aimMs);
  });

  it.skipIf(!mayInject)('makes no connection but to its own engine, as the kernel saw it', async (t) => {
    const { hub, house } = await emptyMachine(t);
    const first = await house.start();
    await first.ready('pool-0');
    await first.end();
    const gone = await takeAway(hub, t);
    const trace = join(house.dir, 'connects');
    const traced = await house.begin({}, ['strace', '-D', '-f', '-q', '-e', 'trace=connect,sendto', '-e', 'signal=none', '-o', trace]).up();
    await traced.ready('pool-0');
    await traced.end();
    expect(gone.tried()).toBe(0);
    expect(existsSync(trace)).toBe(true);
    const inet = readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => /sa_family=AF_INET/.test(line));
    expect(inet.length, 'probes of the engine were seen').toBeGreaterThan(0);
    const own = inet.filter((line) => {
      const port = Number(/sin6?_port=htons\((\d+)\)/.exec(line)?.[1]);
      return /127\.0\.0\.1|::1/.test(line) && port >= house.ports.first && port <= house.ports.last;
    });
    expect(inet.filter((line) => !own.includes(line))).toEqual([]);
  });
});
