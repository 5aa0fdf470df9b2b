/** What V8 compiles of the program while a daemon starts, serves and ends: made by letting one do so. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { innerCache } from '../../src/os/inner-script.ts';

const mostDays = 6;
const dayWithinMs = 60_000;

/**
 * The cache holds what was compiled, so what happened: a day on which the machine was late differs from others. What comes twice
 * counts. `recording`: the executable with `recording-start.ts`, which has V8 do everything in an order of its own, without threads.
 */
export const codeCacheOf = async (recording: string): Promise<Buffer> => {
  const seen: Buffer[] = [];
  while (seen.length < mostDays) {
    const cache = await cacheOfADay(recording);
    if (seen.some((other) => other.equals(cache))) return cache;
    seen.push(cache);
  }
  throw new Error(`expected the same code cache of two in ${mostDays} runs, found lengths ${seen.map(({ length }) => length).join(', ')}`);
};

/** In a folder of its own, with nothing of this machine: no GPU, no pool, no network, no environment. */
const cacheOfADay = async (recording: string): Promise<Buffer> => {
  const dir = mkdtempSync(join(tmpdir(), 'pool-managerd-day-'));
  try {
    mkdirSync(join(dir, 'state'), { mode: 0o700 });
    writeFileSync(join(dir, 'pools.yaml'), 'pools: []\n');
    await day(recording, dir);
    return readFileSync(join(dir, innerCache));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

/** Everything waits for a word of the daemon and for no clock: asked too early, it would answer otherwise. */
const day = async (recording: string, dir: string): Promise<void> => {
  const daemon = spawn(recording, ['serve'], {
    cwd: dir,
    env: {
      HOME: dir,
      POOL_MANAGERD_NODE_ID: 'node-0',
      POOL_MANAGERD_BIND_ADDR: '127.0.0.1:0',
      POOL_MANAGERD_CONFIG: join(dir, 'pools.yaml'),
      POOL_MANAGERD_STATE_DIR: join(dir, 'state'),
      POOL_MANAGERD_RUNTIME_DIR: join(dir, 'engines'),
      POOL_MANAGERD_GPU_SOURCE: 'simulated:2x24GiB',
      POOL_MANAGERD_LAUNCHER: 'detached',
      PROMETHEUS_METRICS_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: dayWithinMs,
    killSignal: 'SIGKILL',
  });
  try {
    const ended = new Promise<number | null>((resolve, reject) => daemon.once('error', reject).once('close', resolve));
    const said: string[] = [];
    let address: string | null = null;
    for await (const line of createInterface({ input: daemon.stdout })) {
      said.push(line);
      const { url = null, state } = JSON.parse(line) as { readonly url?: string; readonly state?: string };
      address ??= url;
      if (address !== null && !daemon.killed && state?.startsWith('lifecycle.serving')) {
        for (const path of ['/health', '/v2/pools']) await (await fetch(address + path, { headers: { connection: 'close' } })).text();
        daemon.kill('SIGTERM');
      }
    }
    const code = await ended;
    if (code !== 0) throw new Error(`expected a daemon that ends with 0, found ${code}: ${said.join('\n')}`);
  } finally {
    daemon.kill('SIGKILL');
  }
};
