/** The executable with Node inside: built, built again, started where there is no Node, and put through the end-to-end tests. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeStubExecutable } from '../../src/demo/stub-executable.ts';
import { innerCache, innerScript } from '../../src/os/inner-script.ts';
import { nvmlProbeCommand, stubEngineCommand } from '../../src/os/self.ts';
import { makeExecutable } from '../../tools/build/executable.ts';
import { makeBareRoot, whyNoBareRoot } from '../kit/bare-root.ts';
import { openHouse } from '../kit/daemon.ts';
import { executableUnderTest } from '../kit/executable-under-test.ts';
import { freePorts } from '../kit/free-ports.ts';
import { until } from '../kit/until.ts';

const root = resolve(import.meta.dirname, '../..');
const startToHealth = join(root, 'test/kit/start-to-health.py');
let dir: string;
let executable: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pool-managerd-build-'));
  executable = await executableUnderTest();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const digestOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

describe('the executable', () => {
  it('says its version, commit and date, whatever NODE_OPTIONS asks for', () => {
    const { stdout, stderr, status } = spawnSync(executable, ['--version'], {
      encoding: 'utf8',
      env: { NODE_OPTIONS: '--inspect=0 --require=/nowhere' },
    });
    const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+ \(commit [0-9a-f]{12}(-changed)?, \d{4}-\d\d-\d\d\)\n$/);
    expect(stdout).toContain(commit);
  });

  it('is the same when it is built again, elsewhere', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'pool-managerd-again-'));
    try {
      expect(digestOf(await makeExecutable(elsewhere))).toBe(digestOf(executable));
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });

  it('takes what V8 compiled at the build, and runs without it where V8 would not', async () => {
    const says = (program: string) => {
      const { status, stdout, stderr } = spawnSync(program, ['--version'], { encoding: 'utf8', env: {} });
      return { status, stdout, stderr };
    };
    const taken = says(executable);
    expect(taken).toMatchObject({ status: 0, stderr: '' });
    const other = join(dir, 'with-a-cache-of-another-v8');
    await copyFile(executable, other);
    const file = await open(other, 'r+');
    // The version of V8 follows a magic number of four bytes.
    await file.write(Buffer.alloc(4), 0, 4, readFileSync(executable).indexOf(readFileSync(join(dirname(executable), innerCache))) + 4);
    await file.close();
    expect(says(other)).toEqual({ ...taken, stderr: expect.stringContaining('V8 does not take what was compiled at the build') });
  });

  it('contains no path of the machine that built it', () => {
    for (const part of ['pool-managerd', innerScript, innerCache, 'provisioning-worker.js']) {
      const bytes = readFileSync(join(dirname(executable), part));
      expect(
        [root, dirname(executable)].filter((path) => bytes.includes(path)),
        part,
      ).toEqual([]);
    }
  });

  it('loads libraries of packages that the Debian package asks for, and no others (needs dpkg)', (context) => {
    const asked = readFileSync(join(root, 'packaging/deb/control'), 'utf8')
      .match(/^Depends: (.*)$/m)?.[1]
      ?.split(/[,|]/)
      .map((one) => one.trim().split(' ')[0]);
    if (spawnSync('dpkg', ['--version']).status !== 0) return context.skip('no dpkg on this machine');
    const loaded = execFileSync('ldd', [executable], { encoding: 'utf8' }).match(/(?<==> )\/\S+/g) ?? [];
    expect(loaded.length).toBeGreaterThan(3);
    const owners = loaded.map((file) => execFileSync('dpkg', ['-S', `*/${basename(file)}`], { encoding: 'utf8' }).split(/[:,]/)[0]);
    // libgcc comes with libstdc++.
    expect(owners.filter((owner) => !['libgcc-s1', ...(asked ?? [])].includes(owner ?? ''))).toEqual([]);
  });

  it('asks the driver through NVML, in a process that ends with its input', () => {
    const { status, stdout, stderr } = spawnSync(executable, [nvmlProbeCommand], { encoding: 'utf8', input: '', env: {}, timeout: 30_000 });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    // Whether this machine has a driver is not the question.
    expect(JSON.parse(stdout)).toMatchObject({ kind: expect.stringMatching(/^(ready|unavailable)$/) });
  });

  it('walks the tour of the demo', () => {
    const { status, stdout, stderr } = spawnSync(executable, ['demo', '--tour'], {
      encoding: 'utf8',
      cwd: dir,
      timeout: 200_000,
      env: { PATH: '/usr/bin:/bin', HOME: dir },
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
  });

  it('passes end-to-end tests in the place of the sources', () => {
    const files = ['commands', 'crash-and-restart', 'token', 'hardening', 'provisioning', 'dashboard'].map((name) => `test/e2e/${name}.test.ts`);
    const { status, stdout } = spawnSync(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.executable.config.ts', ...files],
      {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, EXECUTABLE: executable },
      },
    );
    expect(status, stdout.slice(-6000)).toBe(0);
  });
});

const whyNot = whyNoBareRoot();
if (whyNot !== null) console.log(`not run: the executable without Node: ${whyNot}`);

describe.skipIf(whyNot !== null)('where there is no Node (needs root)', () => {
  it('starts, raises a pool with the stub that it has inside, and ends', async () => {
    const bare = await makeBareRoot(executable);
    const { first, last } = await freePorts(4);
    try {
      expect((await bare.files()).filter((file) => /node/i.test(file))).toEqual([]);
      await writeStubExecutable(join(bare.dir, 'srv'), ['/usr/bin/pool-managerd', stubEngineCommand]);
      await writeFile(join(bare.dir, 'srv/model.gguf'), 'a model');
      const pool = {
        id: 'a',
        engine: 'llamacpp',
        model: '/srv/model.gguf',
        devices: [0],
        env: { STUB_LOAD_MS: '0' },
        provisioning: { mode: 'external', executable: '/srv/llama-server' },
      };
      await writeFile(join(bare.dir, 'srv/pools.yaml'), JSON.stringify({ pools: [pool] }));
      const daemon = bare.start('/usr/bin/pool-managerd', ['serve'], {
        POOL_MANAGERD_BIND_ADDR: `127.0.0.1:${first}`,
        POOL_MANAGERD_PORT_RANGE: `${first + 1}-${last}`,
        PROMETHEUS_METRICS_PORT: '0',
        POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB',
        POOL_MANAGERD_LAUNCHER: 'detached',
        POOL_MANAGERD_SHUTDOWN: 'drain',
        POOL_MANAGERD_CONFIG: '/srv/pools.yaml',
        POOL_MANAGERD_STATE_DIR: '/srv/state',
        POOL_MANAGERD_RUNTIME_DIR: '/srv/engines',
      });
      let said = '';
      for (const stream of [daemon.stdout, daemon.stderr]) stream?.on('data', (data) => (said += String(data)));
      const ended = new Promise((settle) => daemon.once('exit', settle));
      const ready = async () => {
        if (daemon.exitCode !== null) throw new Error(`it ended with ${daemon.exitCode}: ${said}`);
        const answer = await fetch(`http://127.0.0.1:${first}/v2/pools/a/status`).catch(() => null);
        return answer?.ok === true && /"ready":true/.test(await answer.text());
      };
      await until('the pool to be ready', ready, 30_000).catch((thrown: unknown) => {
        throw new Error(said, { cause: thrown });
      });
      const page = await fetch(`http://127.0.0.1:${first}/`);
      expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<html')]);
      daemon.kill('SIGTERM');
      expect(await ended, said).toBe(0);
    } finally {
      await bare.remove();
    }
  });
});

/** What a machine with other work makes of a bare Node tells what it makes of ours. */
it('answers /health within 300 ms of its start, at the median, or four times what a bare Node takes to start', async () => {
  const house = await openHouse();
  try {
    await house.declare([]);
    const [ours, bare]: [number[], number[]] = [[], []];
    for (let n = 0; n < 9; n += 1) {
      const begunBare = performance.now();
      execFileSync(process.execPath, ['-e', '0']);
      bare.push(performance.now() - begunBare);
      const took = execFileSync('python3', [startToHealth, executable, 'serve'], {
        cwd: house.dir,
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], HOME: house.dir, PROMETHEUS_METRICS_PORT: '0', POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB' },
      });
      ours.push(Number(took));
    }
    console.log(`start to /health: ${ours.map(Math.round).join(' ')} ms; a bare Node: ${bare.map(Math.round).join(' ')} ms`);
    expect(median(ours)).toBeLessThan(Math.max(300, 4 * median(bare)));
  } finally {
    await house.close();
  }
});

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
