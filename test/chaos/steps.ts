/**
 * What is done to the daemon, its engines and its surroundings, as plain data drawn from a seed. Nothing here depends on what
 * came of it: the same seed gives the same steps.
 */
import { apiIds, faceNames, fileIds } from './faces.ts';
import type { Chance } from './random.ts';

export type Step =
  | { readonly do: 'rest' }
  /** A signal to the first process of a pool's engine, or to any process of its tree. */
  | { readonly do: 'signalEngine'; readonly pool: string; readonly signal: 'SIGKILL' | 'SIGTERM' | 'SIGSEGV'; readonly whom: 'root' | 'last' }
  | { readonly do: 'pauseEngine'; readonly pool: string; readonly steps: number }
  | { readonly do: 'killDaemon'; readonly awayMs: number }
  /** Each time killed so long after its start. */
  | { readonly do: 'killStartingDaemon'; readonly afterMs: readonly number[] }
  | { readonly do: 'restartDaemon' }
  | { readonly do: 'pauseDaemon'; readonly ms: number }
  | { readonly do: 'secondDaemon' }
  | { readonly do: 'order'; readonly pool: string; readonly order: 'preload' | 'resume' | 'remove' }
  | { readonly do: 'drain'; readonly pool: string; readonly deadlineMs: number | null }
  | { readonly do: 'reload'; readonly pool: string; readonly face: string; readonly slots: number }
  | { readonly do: 'declare'; readonly pool: string; readonly face: string; readonly large: boolean }
  | { readonly do: 'request'; readonly pool: string; readonly tokens: number }
  | { readonly do: 'handoff'; readonly kind: HandoffKind; readonly about: string }
  | { readonly do: 'editFile'; readonly edit: 'drop' | 'restore' | 'change' | 'break' | 'touch'; readonly pool: string }
  | { readonly do: 'orchestrator'; readonly turns: OrchestratorTurn }
  | { readonly do: 'squat'; readonly port: number; readonly steps: number }
  | { readonly do: 'jumpClock'; readonly seconds: number };

export type OrchestratorTurn = 'down' | 'up' | 'forgets' | 'refuses' | 'breaks' | 'lies' | 'hangs' | 'cuts' | 'slow' | 'heals';

export type HandoffKind =
  | 'stranger'
  | 'strangerNotReady'
  | 'strangerGone'
  | 'forgedEndpoint'
  | 'forgedIncarnation'
  | 'notReady'
  | 'torn'
  | 'wrongType'
  | 'elsewhere'
  | 'huge'
  | 'folder'
  | 'link';

export interface Planned {
  readonly step: Step;
  /** How long nothing is done after it. */
  readonly restMs: number;
}

export const strangerIds: readonly string[] = ['stranger-0', 'stranger-1'];
export const portCount = 48;

export const plan = (chance: Chance, count: number): readonly Planned[] =>
  Array.from({ length: count }, () => ({ step: draw(chance), restMs: chance.pick([0, 0, 20, 100, 200, 400, 800]) }));

const draw = (chance: Chance): Step => {
  const ticket = chance.below(total);
  let sum = 0;
  for (const [weight, make] of table) {
    sum += weight;
    if (ticket < sum) return make(chance);
  }
  return { do: 'rest' };
};

const anyPool = (chance: Chance): string => chance.pick([...fileIds, ...apiIds]);

const table: readonly (readonly [weight: number, make: (chance: Chance) => Step])[] = [
  [4, () => ({ do: 'rest' })],
  [
    14,
    (chance) => ({
      do: 'signalEngine',
      pool: anyPool(chance),
      signal: chance.pick(['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGSEGV']),
      whom: chance.pick(['root', 'root', 'last']),
    }),
  ],
  [6, (chance) => ({ do: 'pauseEngine', pool: anyPool(chance), steps: chance.between(1, 12) })],
  [8, (chance) => ({ do: 'killDaemon', awayMs: chance.pick([0, 0, 50, 500, 1_500]) })],
  [
    4,
    (chance) => ({
      do: 'killStartingDaemon',
      afterMs: Array.from({ length: chance.between(1, 3) }, () => chance.between(20, 1_200)),
    }),
  ],
  [3, () => ({ do: 'restartDaemon' })],
  [2, (chance) => ({ do: 'pauseDaemon', ms: chance.between(100, 2_500) })],
  [1, () => ({ do: 'secondDaemon' })],
  [12, (chance) => ({ do: 'order', pool: anyPool(chance), order: chance.pick(['preload', 'preload', 'resume', 'remove']) })],
  [8, (chance) => ({ do: 'drain', pool: anyPool(chance), deadlineMs: chance.pick([null, 0, 300, 2_000]) })],
  [6, (chance) => ({ do: 'reload', pool: anyPool(chance), face: chance.pick(['none', 'none', ...faceNames]), slots: chance.between(1, 4) })],
  [6, (chance) => ({ do: 'declare', pool: chance.pick(apiIds), face: chance.pick(['none', 'none', ...faceNames]), large: chance.below(3) === 0 })],
  [10, (chance) => ({ do: 'request', pool: anyPool(chance), tokens: chance.between(1, 100) })],
  [6, (chance) => ({ do: 'handoff', kind: chance.pick(handoffKinds), about: chance.pick([...strangerIds, ...strangerIds, ...fileIds]) })],
  [5, (chance) => ({ do: 'editFile', edit: chance.pick(['drop', 'restore', 'restore', 'change', 'break', 'touch']), pool: chance.pick(fileIds) })],
  [6, (chance) => ({ do: 'orchestrator', turns: chance.pick(orchestratorTurns) })],
  [3, (chance) => ({ do: 'squat', port: chance.below(portCount), steps: chance.between(2, 15) })],
  [2, (chance) => ({ do: 'jumpClock', seconds: chance.pick([-7_200, -60, 60, 7_200]) })],
];

const total = table.reduce((sum, [weight]) => sum + weight, 0);

const handoffKinds: readonly HandoffKind[] = [
  'stranger',
  'stranger',
  'strangerNotReady',
  'strangerGone',
  'forgedEndpoint',
  'forgedIncarnation',
  'notReady',
  'torn',
  'wrongType',
  'elsewhere',
  'huge',
  'folder',
  'link',
];

const orchestratorTurns: readonly OrchestratorTurn[] = [
  'down',
  'up',
  'up',
  'forgets',
  'refuses',
  'breaks',
  'lies',
  'hangs',
  'cuts',
  'slow',
  'heals',
  'heals',
];

/** In one line, for people. */
export const described = ({ do: name, ...rest }: Step): string =>
  [name, ...Object.values(rest).map((value) => (Array.isArray(value) ? value.join('+') : String(value)))].join(' ');
