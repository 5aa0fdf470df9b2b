/** A machine for `doctor` to look at, with all that is needed; what a test takes away is what it is about. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CliContext } from '../../src/cli/context.ts';
import type { Check } from '../../src/cli/local/doctor/check.ts';
import { doctor } from '../../src/cli/local/doctor/doctor.ts';
import { freePorts } from './free-ports.ts';
import { writeGguf } from './gguf-writer.ts';
import type { Scenario } from './nvidia-smi.ts';
import { scriptedDriver, type Undoing } from './scripted-driver.ts';
import { type TinyShape, tinyModel } from './tiny-models.ts';

/** Of its `model.gguf`. */
export const smallest: TinyShape = {
  architecture: 'llama',
  layers: 1,
  embedding: 32,
  heads: 1,
  headsKv: 1,
  headSize: 32,
  feedForward: 32,
  vocabulary: 32,
  contextLength: 32,
  tied: true,
  type: 'f32',
};

export interface Machine {
  /** Of its pools file, with `llama-server` and `model.gguf` in it. */
  readonly dir: string;
  readonly dev: string;
  readonly proc: string;
  readonly env: Readonly<Record<string, string>>;
  /** Writes the pools file; what is said of a pool is added to what a sound one has. */
  declare(...pools: readonly Readonly<Record<string, unknown>>[]): Promise<void>;
}

export const machine = async (t: Undoing, scenario: Scenario): Promise<Machine> => {
  const driver = await scriptedDriver(t, scenario);
  const dir = await mkdtemp(join(tmpdir(), 'doctor-'));
  t.onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const [dev, proc] = [join(dir, 'dev'), join(dir, 'proc')];
  await mkdir(dev);
  for (const name of ['nvidiactl', 'nvidia-uvm', 'nvidia0', 'nvidia1']) await writeFile(join(dev, name), '');
  await mkdir(join(proc, 'driver/nvidia'), { recursive: true });
  await mkdir(join(proc, 'self'));
  await writeFile(join(proc, 'driver/nvidia/version'), 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  590.48.01  Release Build\n');
  await writeFile(
    join(proc, 'self/limits'),
    'Limit                     Soft Limit           Hard Limit           Units\nMax open files            1048576              1048576              files\n',
  );
  await writeFile(join(dir, 'llama-server'), 'x');
  await writeGguf(join(dir, 'model.gguf'), tinyModel(smallest));
  await chmod(join(dir, 'llama-server'), 0o755);
  const declare: Machine['declare'] = (...pools) =>
    writeFile(join(dir, 'pools.yaml'), JSON.stringify({ pools: pools.map((pool) => ({ ...soundPool, ...pool })) }));
  await declare({ id: 'chat' });
  const { first } = await freePorts(2);
  return {
    dir,
    dev,
    proc,
    declare,
    env: {
      ...driver.env,
      HOME: dir,
      POOL_MANAGERD_CONFIG: join(dir, 'pools.yaml'),
      POOL_MANAGERD_STATE_DIR: join(dir, 'state'),
      POOL_MANAGERD_RUNTIME_DIR: join(dir, 'engines'),
      POOL_MANAGERD_CACHE_DIR: join(dir, 'cache'),
      POOL_MANAGERD_BIND_ADDR: `127.0.0.1:${first}`,
      PROMETHEUS_METRICS_PORT: '0',
    },
  };
};

const soundPool = {
  engine: 'llamacpp',
  model: 'model.gguf',
  devices: [0],
  provisioning: { mode: 'external', executable: './llama-server' },
};

export const examine = async ({
  dev,
  proc,
  env,
}: Omit<Machine, 'dir' | 'declare'>): Promise<{ readonly checks: readonly Check[]; readonly failure: string | null }> => {
  let said = '';
  const stdout = { write: (text: string) => (said += text) } as unknown as CliContext['stdout'];
  const failure = await doctor({ env, stdout } as unknown as CliContext, { poolsFile: null, json: true, colour: false, dev, proc }).then(
    () => null,
    (thrown: Error) => thrown.message,
  );
  return { checks: JSON.parse(said).checks, failure };
};

export const named = (checks: readonly Check[], name: string): Check | undefined => checks.find((check) => check.name === name);
