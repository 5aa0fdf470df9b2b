/** Does one step. What cannot be done where things stand (no engine to kill, no such pool) is not done. */
import { truncate, writeFile } from 'node:fs/promises';
import { assertNever } from '../../src/cause.ts';
import type { OrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import { publicIdOf } from '../../src/machines/policies/berths.ts';
import type { Declared, OpenHouse } from '../kit/daemon.ts';
import { apiIds, faults, filePools, type Models, pool } from './faces.ts';
import type { Keeper } from './keeper.ts';
import type { Look, Said } from './look.ts';
import { engineProcesses, runRecords } from './outside.ts';
import type { Step } from './steps.ts';
import { type Clients, type Handoffs, squatters, turn } from './surroundings.ts';

export interface Stage {
  readonly house: OpenHouse;
  readonly models: Models;
  readonly keeper: Keeper;
  readonly handoffs: Handoffs;
  readonly clients: Clients;
  readonly orchestrator: OrchestratorStandIn;
  readonly violated: (text: string) => void;
  readonly mayCountAnew: (poolId: string) => void;
  readonly look: () => Promise<Look>;
}

export interface Performer {
  perform(step: Step, index: number): Promise<void>;
  /** Ends what has been begun and is to end by itself before step `index`. */
  letGo(index: number): Promise<void>;
  /** What the file declares is as at the beginning, of these pools only, and counts again whatever was ordered: their entries have changed. */
  declareOnly(ids: readonly string[]): Promise<void>;
}

export const createPerformer = (stage: Stage): Performer => {
  const { house, models, keeper, clients, orchestrator } = stage;
  const held: { readonly until: number; readonly release: () => Promise<void> | void }[] = [];
  const declared = new Map<string, Declared>(filePools(models).map((one) => [one.id, one]));
  const isUp = { value: true };
  let isBroken = false;
  let changes = 0;

  const writeFileOf = async (): Promise<void> => {
    isBroken = false;
    await house.declare([...declared.values()]);
  };

  /** A daemon does not start on a file that is not valid. */
  const start = async (): Promise<void> => {
    if (isBroken) await writeFileOf();
    await keeper.start();
  };

  const lastSaid = async (): Promise<Said | null> => (await stage.look()).api;

  const ask = async (method: string, path: string, body?: unknown): Promise<number> => {
    const daemon = keeper.daemon();
    if (daemon === null) return 0;
    try {
      const { status, body: answer } = await daemon.ask(method, path, body);
      if (!expected.has(status)) stage.violated(`${method} ${path} answered ${status}: ${JSON.stringify(answer)}`);
      return status;
    } catch (thrown) {
      stage.violated(`${method} ${path}: ${String(thrown)}`);
      return 0;
    }
  };

  const signal = (poolId: string, name: NodeJS.Signals, whom: 'root' | 'last'): number | null => {
    const tree = engineProcesses(house.stateDir, keeper.pids()).filter((found) => publicIdOf(found.poolId) === poolId);
    const root = runRecords(house.stateDir).find((run) => publicIdOf(run.poolId) === poolId);
    const target = whom === 'last' ? tree.at(-1) : tree.find(({ pid, startTime }) => pid === root?.pid && startTime === root.startTime);
    if (target === undefined) return null;
    kill(target.pid, name);
    return target.pid;
  };

  /** Where the file did not declare it, it takes the place of whatever else there is of that name. */
  const declare = (one: Declared): void => {
    if (!declared.has(one.id)) stage.mayCountAnew(one.id);
    declared.set(one.id, one);
  };

  const editFile = async (edit: Extract<Step, { do: 'editFile' }>['edit'], id: string): Promise<void> => {
    const original = filePools(models).find((one) => one.id === id);
    if (edit === 'break') {
      isBroken = true;
      return house.declare('pools:\n  - id: [not, valid\n');
    }
    if (edit === 'drop' && declared.delete(id)) stage.mayCountAnew(id);
    if (edit === 'restore' && original !== undefined) declare(original);
    if (edit === 'change') {
      const now = declared.get(id);
      changes += 1;
      if (now !== undefined) declared.set(id, { ...now, env: { ...Object(now['env']), CHANGE: String(changes) } });
    }
    await writeFileOf();
  };

  const perform = async (step: Step, index: number): Promise<void> => {
    switch (step.do) {
      case 'rest':
        return;
      case 'signalEngine':
        signal(step.pool, step.signal, step.whom);
        return;
      case 'pauseEngine': {
        const pid = signal(step.pool, 'SIGSTOP', 'root');
        if (pid !== null) held.push({ until: index + step.steps, release: () => kill(pid, 'SIGCONT') });
        return;
      }
      case 'killDaemon':
        await keeper.end('SIGKILL', await lastSaid());
        await away(step.awayMs);
        return start();
      case 'killStartingDaemon':
        await keeper.end('SIGKILL', await lastSaid());
        if (isBroken) await writeFileOf();
        for (const afterMs of step.afterMs) await keeper.killStarting(afterMs);
        return start();
      case 'restartDaemon':
        await keeper.end('SIGTERM', null);
        return start();
      case 'pauseDaemon':
        return keeper.pause(step.ms);
      case 'secondDaemon': {
        if (isBroken) await writeFileOf();
        const { code, stderr } = await house.refused({ ORCHESTRATORD_URL: orchestrator.url });
        if (code !== 75) stage.violated(`a second daemon ended with ${code}, not 75: ${stderr}`);
        return;
      }
      case 'order':
        if (step.order === 'remove') {
          if ((await ask('DELETE', `/v2/pools/${step.pool}`)) === 202) stage.mayCountAnew(step.pool);
        } else await ask('POST', `/v2/pools/${step.pool}/${step.order}`);
        return;
      case 'drain':
        await ask('POST', `/v2/pools/${step.pool}/drain`, step.deadlineMs === null ? {} : { deadline_ms: step.deadlineMs });
        return;
      case 'reload':
        await ask('POST', `/v2/pools/${step.pool}/reload`, { slots: step.slots, env: envOf(step.face) });
        return;
      case 'declare':
        await ask('POST', '/v2/pools', pool(step.pool, apiIds.indexOf(step.pool) % 2, step.large ? models.large : models.small, envOf(step.face)));
        return;
      case 'request': {
        const run = runRecords(house.stateDir).find(({ poolId }) => publicIdOf(poolId) === step.pool);
        if (run !== undefined) clients.send(run.endpoint, step.tokens);
        return;
      }
      case 'handoff':
        return stage.handoffs.write(step.kind, step.about);
      case 'editFile':
        return editFile(step.edit, step.pool);
      case 'orchestrator':
        return turn(orchestrator, step.turns, isUp);
      case 'squat':
        held.push({ until: index + step.steps, release: await squatters.squat(house.ports.first + step.port) });
        return;
      case 'jumpClock':
        keeper.jumpClock(step.seconds);
        return;
      default:
        return assertNever(step);
    }
  };

  return {
    perform,
    letGo: async (index) => {
      for (const one of [...held]) {
        if (one.until > index) continue;
        held.splice(held.indexOf(one), 1);
        await one.release();
      }
    },
    declareOnly: async (ids) => {
      for (const one of filePools(models)) {
        if (ids.includes(one.id)) declare({ ...one, env: { HEALED: '1' } });
        else declared.delete(one.id);
      }
      await writeFileOf();
    },
  };
};

/** 503: it does not fit, or the daemon is still reading its state. */
const expected = new Set([200, 201, 202, 404, 409, 503]);

const envOf = (face: string): Readonly<Record<string, string>> => (faults[face] === undefined ? {} : { FAULTS: faults[face] });

const away = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** It may have ended since it was seen. */
const kill = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')) throw thrown;
  }
};

/** As large as it says, and empty. */
export const writeModels = async (dir: string, sizes: Readonly<Record<keyof Models, number>>): Promise<Models> => {
  const models = { small: `${dir}/small.gguf`, large: `${dir}/large.gguf` };
  for (const name of ['small', 'large'] as const) {
    await writeFile(models[name], '');
    await truncate(models[name], sizes[name]);
  }
  return models;
};
