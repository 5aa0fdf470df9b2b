/**
 * What the terminal pictures in `docs/pictures/` show: the real commands, in a terminal, asking a daemon that answers always
 * the same.
 */

import { startCannedDaemon } from '../../test/kit/canned-daemon.ts';
import { runCommand } from '../../test/kit/run-command.ts';
import { nodeView } from '../../test/kit/views.ts';
import { demoLines } from './demo-scene.ts';
import { drawTerminal } from './draw.ts';
import { cards, pools } from './node.ts';

interface Scene {
  readonly name: string;
  readonly title: string;
  readonly args: readonly string[];
}

const scenes: readonly Scene[] = [
  { name: 'status', title: 'The node and its pools', args: ['status'] },
  { name: 'pools', title: 'One line per pool', args: ['pools'] },
  { name: 'gpus', title: 'One line per card', args: ['gpus'] },
  { name: 'pool', title: 'A pool that serves', args: ['pool', 'chat'] },
  { name: 'pool-failed', title: 'A pool whose engine has ended, and what it said last', args: ['pool', 'draft'] },
];

/** File name → picture. */
export const terminalPictures = async (): Promise<ReadonlyMap<string, string>> => {
  const all = pools();
  const daemon = await startCannedDaemon({
    'GET /v2/node': { body: nodeView({ pools: all.map(({ pool_id }) => pool_id) }) },
    'GET /v2/pools': { body: { node_id: 'gpu-node-1', pools: all, count: all.length } },
    'GET /v2/gpus': { body: { node_id: 'gpu-node-1', gpus: cards(), count: 2 } },
    ...Object.fromEntries(all.map((pool) => [`GET /v2/pools/${pool.pool_id}/status`, { body: pool }])),
    ...Object.fromEntries(all.map(({ pool_id }) => [`GET /v2/pools/${pool_id}/spec`, { body: { pool_id, spec: {}, filed: null } }])),
  });
  try {
    const drawn = new Map<string, string>();
    for (const { name, title, args } of scenes)
      drawn.set(fileOf(name), drawTerminal(title, `pool-managerd ${args.join(' ')}`, await shown(args, daemon.url)));
    return drawn.set(fileOf('demo'), drawTerminal('The demo in a terminal', null, demoLines()));
  } finally {
    await daemon.close();
  }
};

const fileOf = (name: string): string => `terminal-${name}.svg`;

const shown = async (args: readonly string[], url: string): Promise<readonly string[]> => {
  const { exitCode, stdout, stderr } = await runCommand(args, { tty: true, env: { POOL_MANAGERD_BIND_ADDR: new URL(url).host } });
  if (exitCode !== 0) throw new Error(`expected ${args.join(' ')} to end with 0, found ${exitCode}: ${stderr}`);
  return stdout.trimEnd().split('\n');
};
