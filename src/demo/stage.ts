/** Everything of a demo, put up in order: house, control plane, daemon. Taking it down is the reverse, and leaves nothing. */
import { type Api, createApi } from '../cli/api.ts';
import { type DaemonProcess, startDaemonProcess } from './daemon-process.ts';
import { type DemoEngine, engineText } from './engine-choice.ts';
import { followControlPlane, type Lines } from './history.ts';
import { buildHouse, type House } from './house.ts';
import { keepJournal } from './keep-journal.ts';
import { type OrchestratorStandIn, startOrchestratorStandIn } from './orchestrator-stand-in.ts';
import { choosePorts, usualPorts } from './ports.ts';

export interface Stage {
  readonly house: House;
  readonly standIn: OrchestratorStandIn;
  readonly daemon: DaemonProcess;
  readonly api: Api;
  readonly engine: DemoEngine;
  readonly controlPlane: Lines;
  /** What a person should know before anything else, and the addresses. */
  readonly introduction: readonly string[];
}

export interface StageOptions {
  readonly engine: DemoEngine;
  readonly tour: boolean;
  readonly freePorts: boolean;
  /** Where its journal is kept; null: nowhere. */
  readonly journal: string | null;
  readonly signal: AbortSignal;
}

/** What is put up is taken down by `stack`, also after a failure. */
export const setStage = async (stack: AsyncDisposableStack, { engine, tour, freePorts, journal, signal }: StageOptions): Promise<Stage> => {
  const house = await buildHouse(engine, tour);
  stack.defer(house.remove);
  const standIn = await startOrchestratorStandIn({ nextHeartbeatMs: heartbeatEveryMs });
  stack.defer(standIn.close);
  const controlPlane = followControlPlane(standIn);
  const daemon = await startDaemonProcess({ house, ports: await choosePorts(freePorts), orchestratorUrl: standIn.url, signal });
  stack.defer(async () => {
    await daemon.end();
    if (journal !== null) await keepJournal(house.journalFile, journal);
  });
  const introduction = introduce(daemon, standIn, engine, house);
  return { house, standIn, daemon, engine, controlPlane, introduction, api: createApi({ url: daemon.url, token: null, fetch }) };
};

const heartbeatEveryMs = 2_000;

const introduce = (daemon: DaemonProcess, standIn: OrchestratorStandIn, engine: DemoEngine, house: House): readonly string[] => [
  'simulated GPUs: no GPU is used; their memory is made up of what pools are granted',
  engineText(engine),
  '',
  `daemon         pool-managerd serve, pid ${daemon.pid}, log ${house.logFile}`,
  `dashboard      ${daemon.url}/${unusual(daemon.url, usualPorts.api)}`,
  `description    ${daemon.url}/openapi.json`,
  `metrics        ${daemon.metricsUrl}/metrics${unusual(daemon.metricsUrl, usualPorts.metrics)}`,
  `orchestratord  ${standIn.url}, a stand-in that only listens`,
];

const unusual = (url: string, usual: number): string => (new URL(url).port === String(usual) ? '' : ` (instead of port ${usual})`);
