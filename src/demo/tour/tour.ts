/** What every step of the tour works with: the stage, its witness, and the few words that steps are made of. */
import { commandSchema, type Pool, poolSchema, type Transition } from '../../cli/answers.ts';
import { type Client, withId } from '../../cli/client.ts';
import { type EngineProcess, engineProcesses } from '../engines.ts';
import { mainPool } from '../house.ts';
import type { Stage } from '../stage.ts';
import { TourFailure } from './trail.ts';
import type { Witness } from './witness.ts';

export interface Tour {
  readonly stage: Stage;
  readonly witness: Witness;
  readonly signal: AbortSignal;
  /** How long one thing may take. */
  readonly limitMs: number;
}

export type Tell = (line: string) => void;

type PoolRoutes = Client['v2']['pools'][':id'];
type Order = (pool: PoolRoutes) => ReturnType<PoolRoutes['preload' | 'drain']['$post']>;

export const command = async ({ stage }: Tour, verb: 'preload' | 'drain', order: Order, tell: Tell): Promise<void> => {
  tell(`POST /v2/pools/${mainPool}/${verb}`);
  await stage.api.ask((client) => order(client.v2.pools[':id'])).read(commandSchema);
};

/** Sees these public states of the main pool, and no others between them. */
export const seePool = async ({ witness, limitMs }: Tour, states: readonly string[], tell: Tell): Promise<readonly Transition[]> => {
  const seen: Transition[] = [];
  for (const state of states) {
    const transition = await witness.pool.expect(state, limitMs);
    const reason = transition.reason === null ? '' : `  ${transition.reason.code}: ${transition.reason.message}`;
    tell(`${mainPool} is ${state}${reason}`);
    seen.push(transition);
  }
  return seen;
};

export const tellHeartbeat = async ({ witness, limitMs }: Tour, word: 'ready' | 'not ready', tell: Tell): Promise<void> => {
  const node = await witness.controlPlane.expect(word, limitMs);
  tell(`orchestratord: heartbeat ${node.heartbeats} says that ${mainPool} is ${word}`);
};

export const engineOf = ({ stage }: Tour): EngineProcess => {
  const engine = engineProcesses(stage.house.stateDir).find(({ poolId }) => poolId === mainPool);
  if (engine === undefined) throw new TourFailure(`expected an engine of ${mainPool} among the run records, found none that lives`);
  return engine;
};

export const look = ({ stage }: Tour): Promise<Pool> =>
  stage.api.ask((client) => client.v2.pools[':id'].status.$get(withId(mainPool))).read(poolSchema);

export const endpointOf = async (tour: Tour): Promise<string> => {
  const { endpoint } = await look(tour);
  if (endpoint === null) throw new TourFailure(`the API: expected an endpoint of ${mainPool}, found none`);
  return endpoint;
};
