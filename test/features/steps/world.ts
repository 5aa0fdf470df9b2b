/**
 * What a scenario stands in: a daemon, the pools it named, the last answer it got. `a node` shares one daemon with the other
 * scenarios of its file, under pool ids of its own; `a node of its own` has one that it may kill.
 *
 * A daemon begins when something is first asked of it, so that what is declared before is in its pools file.
 */
import { AfterAll, QuickPickleWorld, setWorldConstructor } from 'quickpickle';
import type { OnTestFinishedHandler, TestContext } from 'vitest';
import { type Daemon, type Declared, daemonHouse, type House } from '../../kit/daemon.ts';
import type { Answer } from '../../kit/daemon-api.ts';
import { freePorts } from '../../kit/free-ports.ts';

interface Lodging {
  readonly house: House;
  readonly daemon: Daemon | null;
  /** Of the scenario's pools. */
  readonly suffix: string;
}

interface Shared {
  readonly house: House;
  readonly daemon: Daemon;
  readonly close: () => Promise<void>;
  lodgers: number;
}

const portsOfShared = 48;
let shared: Promise<Shared> | null = null;

const share = async (): Promise<Shared> => {
  const closing: OnTestFinishedHandler[] = [];
  const ports = await freePorts(portsOfShared);
  const house = await daemonHouse(
    { onTestFinished: (handler) => void closing.push(handler) },
    { POOL_MANAGERD_GPU_SOURCE: 'simulated:8x80GiB', POOL_MANAGERD_PORT_RANGE: `${ports.first}-${ports.last}` },
  );
  await house.declare([]);
  return {
    house,
    daemon: await house.start(),
    close: async () => {
      // It outlives each test; what its handlers look at is whether one failed.
      for (const close of closing) await close({ task: {} } as TestContext);
    },
    lodgers: 0,
  };
};

AfterAll(async () => {
  await (await shared)?.close();
  shared = null;
});

export class World extends QuickPickleWorld {
  /** The package's own types do not resolve under Node's rules. */
  declare readonly context: TestContext;
  answer: Answer | null = null;
  readonly declared = new Map<string, Declared>();
  #lodging: Lodging | null = null;

  async lodge(): Promise<void> {
    shared ??= share();
    const host = await shared;
    host.lodgers += 1;
    this.#lodging = { house: host.house, daemon: host.daemon, suffix: `-${host.lodgers}` };
  }

  async build(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#lodging = { house: await daemonHouse(this.context, env), daemon: null, suffix: '' };
    await this.writePools();
  }

  get house(): House {
    return this.#here.house;
  }

  /** The id that a pool goes by on the daemon. */
  id(name: string): string {
    return `${name}${this.#here.suffix}`;
  }

  get running(): boolean {
    return this.#here.daemon !== null;
  }

  async daemon(): Promise<Daemon> {
    return this.#here.daemon ?? (await this.start());
  }

  async start(env: Readonly<Record<string, string>> = {}): Promise<Daemon> {
    if (this.declared.size > 0) await this.writePools();
    const daemon = await this.house.start(env);
    this.#lodging = { ...this.#here, daemon };
    return daemon;
  }

  writePools(): Promise<void> {
    return this.house.declare([...this.declared.values()]);
  }

  /** In the pools file before the daemon runs, over the API afterwards. */
  async declare(name: string, changes: Parameters<House['stub']>[1] = {}): Promise<void> {
    const pool = this.house.stub(this.id(name), changes);
    this.declared.set(name, pool);
    if (!this.running) return;
    await this.ask('POST', '/v2/pools', pool);
    if (this.answered.status !== 202 && this.answered.status !== 201) throw new Error(`declared in vain: ${JSON.stringify(this.answered)}`);
  }

  async ask(method: string, path: string, body?: unknown): Promise<void> {
    this.answer = await (await this.daemon()).ask(method, path, body);
  }

  get answered(): Answer {
    if (this.answer === null) throw new Error('nothing was asked yet');
    return this.answer;
  }

  get #here(): Lodging {
    if (this.#lodging === null) throw new Error('expected "Given a node" first');
    return this.#lodging;
  }
}

setWorldConstructor(World);
