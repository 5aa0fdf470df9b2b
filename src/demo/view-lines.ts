/** What the terminal shows of a demo, as lines. Pure; draws nothing. */
import type { Gpu, Node, Pool } from '../cli/answers.ts';
import { gpuTable, poolTable } from '../cli/show.ts';
import type { EngineProcess } from './engines.ts';
import { heartbeatText } from './history.ts';
import { mainPool } from './house.ts';
import type { NodeRecord } from './orchestrator-nodes.ts';

export interface Viewed {
  readonly introduction: readonly string[];
  readonly node: Node;
  readonly pools: readonly Pool[];
  readonly gpus: readonly Gpu[];
  /** The node as the control plane knows it; null: it does not. */
  readonly controlPlane: NodeRecord | null;
  readonly hints: readonly string[];
  /** Oldest first. */
  readonly happenings: readonly string[];
  /** Height of the terminal. */
  readonly rows: number;
}

/** As many happenings as there is room for, and one at least. */
export const viewLines = ({ introduction, node, pools, gpus, controlPlane, hints, happenings, rows }: Viewed): readonly string[] => {
  const above = [
    ...introduction,
    '',
    ...poolTable(pools, true),
    '',
    ...gpuTable(gpus, true),
    '',
    `registration   ${node.registration.state}`,
    `heartbeats     ${controlPlane === null ? 'none' : `${controlPlane.heartbeats}, the last said: ${heartbeatText(controlPlane)}`}`,
    '',
  ];
  const below = ['', ...hints];
  const room = Math.max(1, rows - above.length - below.length);
  return [...above, ...happenings.slice(-room), ...below];
};

/** Commands for another terminal. `engine`: that of the main pool; null: it has none now. */
export const thingsToTry = (url: string, engine: EngineProcess | null): readonly string[] => [
  'try in another terminal:',
  `  npx pool-managerd status -w --url ${url}`,
  `  curl ${engine?.endpoint ?? 'ENDPOINT'}/completion -d '{"prompt":"Once upon a time","n_predict":64}'`,
  `  kill -9 ${engine?.pid ?? 'PID'}   # the engine of ${mainPool}: it comes back`,
  `  npx pool-managerd drain ${mainPool} --wait --url ${url}`,
  `  npx pool-managerd start large --wait --url ${url}`,
  'Ctrl-C ends everything.',
];
