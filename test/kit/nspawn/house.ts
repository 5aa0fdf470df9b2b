/** The daemon as the Debian package installs it, in a machine of its own: two pools of real llama-servers on simulated cards. */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { executableUnderTest } from '../executable-under-test.ts';
import { realEngine, tinyModel } from '../llama-server.ts';
import { until } from '../until.ts';
import { bootMachine, type Machine, whyNoMachine } from './machine.ts';

export interface EngineFacts {
  readonly pid: number;
  readonly invocationId: string;
  /** Field 22 of its stat. */
  readonly startTime: number;
}

export interface House extends Machine {
  readonly pools: readonly string[];
  /** Waits until all pools are ready, by the API. */
  ready(): Promise<void>;
  status(poolId: string): Promise<PoolFacts>;
  engine(poolId: string): Promise<EngineFacts>;
  engines(): Promise<readonly EngineFacts[]>;
  daemonPid(): Promise<number>;
  /** Waits until another daemon than `before` is ready; milliseconds of its monotonic clock at which it was. */
  readySince(before: number): Promise<number>;
  /** Monotonic milliseconds, the same clock in and outside of the machine. */
  mono(): number;
  /** What a stranger asks all the while; `stop` says what came of it. */
  ask(path: string): { stop(): Promise<Readonly<Record<string, number>>> };
  show(unit: string, property: string): Promise<string>;
}

const poolFacts = v.object({
  state: v.string(),
  ready: v.boolean(),
  restarts: v.number(),
  reason: v.nullable(v.object({ code: v.string(), message: v.string() })),
  last_error: v.unknown(),
});
export type PoolFacts = v.InferOutput<typeof poolFacts>;

/** Null: it can be built here. */
export const whyNoHouse = (): string | null => {
  if (realEngine === null) return 'no llama-server on this machine';
  if (tinyModel === null) return 'no model to load';
  return whyNoMachine();
};

export const pools = ['chat', 'embed-2'] as const;
const model = '/srv/models/tiny.gguf';

export const poolsFile = (ids: readonly string[] = pools, slots = 2): string =>
  JSON.stringify({
    version: 1,
    pools: ids.map((id, index) => ({
      id,
      engine: 'llamacpp',
      model,
      devices: [index],
      slots,
      ctx: 512,
      provisioning: { mode: 'external', executable: realEngine },
      timeouts: { stop_ms: 5000 },
    })),
  });

export const openHouse = async (): Promise<House> => {
  const machine = await bootMachine(await executableUnderTest());
  try {
    return await moveIn(machine);
  } catch (thrown) {
    const { stdout } = await machine.run(['journalctl', '--no-pager', '--lines=60', '-o', 'cat', '-u', 'pool-managerd', '-u', 'llama-engine@*']);
    await machine.destroy();
    throw new Error(`the daemon did not come up; its journal:\n${stdout}`, { cause: thrown });
  }
};

/** Writes model and pools file, starts the service, and waits until the pools are ready. */
export const moveIn = async (machine: Machine): Promise<House> => {
  await machine.write(model, readFileSync(tinyModel ?? '').toString('base64'), '644');
  await machine.ok(['sh', '-c', `base64 -d < ${model} > ${model}.bin && mv ${model}.bin ${model} && chmod 644 ${model}`]);
  await machine.write('/etc/pool-managerd/pools.yaml', poolsFile());
  await machine.write('/etc/pool-managerd/environment', `POOL_MANAGERD_GPU_SOURCE=simulated:${pools.length}x24GiB\n`);
  const house = furnish(machine);
  await machine.ok(['systemctl', 'start', 'pool-managerd.socket', 'pool-managerd.service']);
  await house.ready();
  return house;
};

/** In the machine and seldom: the processes that look must not take the time that is measured. */
const untilReady = `while :; do
  pid=$(systemctl show --value --property=MainPID pool-managerd)
  state=$(systemctl show --value --property=ActiveState pool-managerd)
  [ "$state" = active ] && [ "$pid" != 0 ] && [ "$pid" != "$1" ] && break
  sleep 0.1
done
systemctl show --value --property=ActiveEnterTimestampMonotonic pool-managerd`;

const furnish = (machine: Machine): House => {
  const show: House['show'] = async (unit, property) => (await machine.ok(['systemctl', 'show', '--value', `--property=${property}`, unit])).trim();
  const daemonPid = async (): Promise<number> => Number(await show('pool-managerd', 'MainPID'));
  const fetchJson = async (path: string): Promise<unknown> =>
    JSON.parse(await machine.ok(['curl', '--silent', '--show-error', '--max-time', '10', `http://127.0.0.1:9200${path}`]));
  const status: House['status'] = async (poolId) => v.parse(poolFacts, await fetchJson(`/v2/pools/${poolId}/status`));
  const engine: House['engine'] = async (poolId) => {
    const unit = `llama-engine@${poolId}`;
    const pid = Number(await show(unit, 'MainPID'));
    const stat = pid === 0 ? '' : (await machine.run(['cat', `/proc/${pid}/stat`])).stdout;
    const startTime = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    return { pid, invocationId: await show(unit, 'InvocationID'), startTime };
  };
  const mono = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;
  return {
    ...machine,
    pools,
    show,
    status,
    engine,
    engines: () => Promise.all(pools.map(engine)),
    daemonPid,
    mono,
    ready: async () => {
      await until('all pools to be ready', async () => (await Promise.all(pools.map(status))).every((one) => one.ready), 60_000);
    },
    readySince: async (before) => Number(await machine.ok(['sh', '-c', untilReady, 'sh', String(before)])) / 1000,
    ask: (path) => {
      const lines: string[] = [];
      const app = '/usr/lib/pool-managerd/app';
      const asking = machine.follow(
        [`${app}/node_modules/.bin/node`, `${app}/test/kit/nspawn/ask-in-a-loop.ts`, `http://127.0.0.1:9200${path}`],
        (line) => lines.push(line),
      );
      return {
        stop: async () => {
          await asking.stop();
          return v.parse(v.record(v.string(), v.number()), JSON.parse(lines.at(-1) ?? '{}'));
        },
      };
    },
  };
};

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};
