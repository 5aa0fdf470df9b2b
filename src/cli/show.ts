/** Pools, GPUs, the node and its events as lines for people. Pure; asks nobody. */
import { isDeepStrictEqual } from 'node:util';
import { isSecondBerth } from '../machines/policies/berths.ts';
import type { Declared, Gpu, Node, Pool, Transition } from './answers.ts';
import { progressLine } from './progress-line.ts';
import { type Colour, type Column, paint, printable, table } from './table.ts';
import { nextTry, toDo } from './to-do.ts';
import { age, bytes, orDash, share } from './words.ts';

export const stateOf = (pool: Pick<Pool, 'state' | 'substate'>): string => (pool.substate === '' ? pool.state : `${pool.state}.${pool.substate}`);

/** Since when is known of the outer state only: `ready for 12m, suspect`. */
const stateSince = ({ state, substate, since }: Pool): string => [`${state} for ${age(since)}`, ...(substate === '' ? [] : [substate])].join(', ');

const stateColour = (pool: Pool): Colour => {
  if (pool.ready) return pool.degraded.length === 0 ? 'green' : 'yellow';
  if (pool.state !== 'offline') return 'yellow';
  return pool.wanted === 'down' ? 'dim' : 'red';
};

const poolColumns: readonly Column<Pool>[] = [
  { head: 'POOL', cell: (pool) => pool.pool_id },
  { head: 'STATE', cell: stateOf, colour: stateColour },
  { head: 'FOR', cell: (pool) => age(pool.since) },
  { head: 'WANTED', cell: (pool) => pool.wanted },
  { head: 'ENGINE', cell: (pool) => pool.engine },
  { head: 'MODEL', cell: (pool) => orDash(pool.model) },
  { head: 'GPUS', cell: (pool) => orDash(pool.device_mask) },
  { head: 'SLOTS', cell: (pool) => share(orDash(pool.slots_free), orDash(pool.slots_total)) },
  { head: 'VRAM', cell: (pool) => bytes(pool.vram_used_bytes) },
  { head: 'RESTARTS', cell: (pool) => String(pool.restarts) },
  { head: 'ENDPOINT', cell: (pool) => orDash(pool.endpoint) },
  { head: 'REASON', cell: (pool) => pool.reason?.code ?? '' },
];

export const poolTable = (pools: readonly Pool[], colour: boolean): string[] =>
  pools.length === 0 ? ['no pools are declared; "pool-managerd config example" prints a pools file'] : table(pools, poolColumns, colour);

export const poolDetail = (pool: Pool, colour: boolean, declared: Declared | null = null): string[] =>
  facts([
    ['pool', `${pool.pool_id} (origin ${pool.origin}, wanted ${pool.wanted})`],
    ['ordered', declared && orderedOver(declared)],
    ['declared', notAsDeclared(pool)],
    ['state', stateSince(pool), colour ? stateColour(pool) : null],
    ['reason', pool.reason && `${pool.reason.code}: ${pool.reason.message}`],
    ['to do', toDo(pool)],
    ['retry', nextTry(pool)],
    ['degraded', pool.degraded.join(', ')],
    ['progress', pool.progress && progressLine(pool.progress)],
    ['cut off', pool.drain_deadline_at && `what is still in the engine at ${pool.drain_deadline_at}`],
    ['engine', `${[pool.engine, pool.engine_version].filter(Boolean).join(' ')}${pool.pid === null ? '' : `, pid ${pool.pid}`}`],
    ['model', orDash(pool.model)],
    ['endpoint', orDash(pool.endpoint)],
    ['gpus', orDash(pool.gpus.map((gpu) => `${gpu.index} ${gpu.uuid}`).join(', '))],
    ['slots', `${share(orDash(pool.slots_free), orDash(pool.slots_total))} free, ${orDash(pool.active_leases)} requests in the engine`],
    ['vram', `${bytes(pool.vram_used_bytes)} used by the pool, ${share(bytes(pool.vram_free_bytes), bytes(pool.vram_total_bytes))} free on its GPUs`],
    ['residency', pool.residency],
    ['restarts', String(pool.restarts)],
    ['probe failed', pool.probe_error && `${pool.probe_error.code}: ${pool.probe_error.message}`],
    ['probe passed', pool.last_probe_at && `${age(pool.last_probe_at)} ago`],
    ['last error', pool.last_error && `${pool.last_error.code}: ${pool.last_error.message} (${pool.last_error.at})`],
  ]).concat(lastWords(pool.last_error));

/** Where an order over the API counts: what it differs in from the pools file. Null: in nothing. */
const orderedOver = ({ spec, filed }: Declared): string | null => {
  if (filed === null) return null;
  const keys = [...new Set([...Object.keys(spec), ...Object.keys(filed)])].filter((key) => !isDeepStrictEqual(spec[key] ?? null, filed[key] ?? null));
  if (keys.length === 0) return null;
  const differences = keys.map((key) => `${key} ${valueText(spec[key])}, in the file ${valueText(filed[key])}`);
  return `over the API, until its entry in the pools file changes or reload --as-filed: ${differences.join('; ')}`;
};

/** After a reload that came to nothing. */
const notAsDeclared = ({ pool_id, degraded }: Pool): string | null =>
  degraded.includes('not_as_declared')
    ? `with something else than its engine has; "pool-managerd events ${pool_id}" says why, "pool-managerd reload ${pool_id} --as-filed" tries again`
    : null;

const longestValue = 120;

const valueText = (value: unknown): string => {
  const text = printable(JSON.stringify(value ?? null));
  return text.length > longestValue ? `${text.slice(0, longestValue)}…` : text;
};

const mostWords = 10;

/** What the engine wrote before it ended; all that is known of it is in `--json` and in `logs --previous`. */
const lastWords = (error: Pool['last_error']): string[] => {
  if (error === null || error.tail.length === 0) return [];
  const shown = error.tail.slice(-mostWords);
  const earlier = error.tail.length - shown.length;
  return ['it last said:', ...(earlier === 0 ? [] : [`  … (${earlier} lines before)`]), ...shown.map((line) => `  ${printable(line)}`)];
};

const healthColour = ({ health }: Gpu): Colour =>
  health === 'healthy' ? 'green' : health === 'suspect' || health === 'recovering' ? 'yellow' : 'red';

const gpuColumns: readonly Column<Gpu>[] = [
  { head: 'GPU', cell: (gpu) => String(gpu.index) },
  { head: 'NAME', cell: (gpu) => `${gpu.name}${gpu.simulated ? ' (simulated)' : ''}` },
  { head: 'HEALTH', cell: (gpu) => gpu.health, colour: healthColour },
  { head: 'USED', cell: (gpu) => bytes(gpu.memory_used_bytes) },
  { head: 'RESERVED', cell: (gpu) => bytes(gpu.memory_reserved_bytes) },
  { head: 'FREE', cell: (gpu) => bytes(gpu.memory_free_bytes) },
  { head: 'TOTAL', cell: (gpu) => bytes(gpu.memory_total_bytes) },
  { head: 'BUSY', cell: (gpu) => (gpu.utilisation_percent === null ? '-' : `${gpu.utilisation_percent}%`) },
  { head: 'TEMP', cell: (gpu) => (gpu.temperature_c === null ? '-' : `${gpu.temperature_c} C`) },
  { head: 'CPUS', cell: (gpu) => `${orDash(gpu.cpu_affinity)}${gpu.numa_node === null ? '' : ` (node ${gpu.numa_node})`}` },
  { head: 'POOLS', cell: (gpu) => orDash(gpu.pools.join(',')) },
  { head: 'SEEN', cell: (gpu) => `${age(gpu.seen_at)} ago${gpu.stale ? ', stale' : ''}`, colour: (gpu) => (gpu.stale ? 'red' : null) },
  { head: 'UUID', cell: (gpu) => gpu.uuid },
];

export const gpuTable = (gpus: readonly Gpu[], colour: boolean): string[] =>
  gpus.length === 0
    ? ['no GPUs are known']
    : [...table(gpus, gpuColumns, colour), ...gpus.flatMap((gpu) => (gpu.health_reason === null ? [] : [trouble(gpu, gpu.health_reason)]))];

/** Why a card is not well, and what a person is to do. */
const trouble = ({ index, health, recommended_action }: Gpu, { code, message }: NonNullable<Gpu['health_reason']>): string =>
  printable(
    `GPU ${index} is ${health}: ${code}: ${message}${recommended_action === null ? '' : ` [to do: ${recommended_action.replaceAll('_', ' ')}]`}`,
  );

export const nodeSummary = (node: Node): string[] =>
  facts([
    ['node', `${node.node_id} ${node.lifecycle}, pool-managerd ${node.version}`],
    [
      'gpus',
      `${node.gpus_state}${node.gpu_source === null ? '' : ` from ${node.gpu_source}`}${node.driver_version === null ? '' : `, driver ${node.driver_version}`}`,
    ],
    ['gpu error', node.gpu_error],
    ['control', [node.registration.state, node.registration.orchestrator_url].filter(Boolean).join(' ')],
    ['control error', node.registration.last_error],
    ['degraded', node.degraded.join(', ')],
  ]);

export const eventLine = (event: Transition): string =>
  printable(
    [
      event.at,
      whoOf(event),
      `${event.from || '-'} -> ${event.to}`,
      event.event,
      ...(event.outcome === null ? [] : [event.outcome]),
      ...(event.reason === null ? [] : [`${event.reason.code}: ${event.reason.message}`]),
    ].join('  '),
  );

/** While a reload is under way a pool has two engines, each told by a chart of its own: which one, where it is not the first. */
const whoOf = ({ pool_id, actor }: Transition): string => {
  if (pool_id === null) return actor;
  return isSecondBerth(actor.split('#')[0] ?? '') ? `${pool_id} (second berth)` : pool_id;
};

/** Label, value and its colour; lines without a value are left out. */
const facts = (rows: readonly (readonly [label: string, value: string | null, colour?: Colour | null])[]): string[] =>
  rows.flatMap(([label, value, colour = null]) =>
    value === null || value === '' ? [] : [`${`${label}:`.padEnd(15)}${paint(printable(value), colour)}`],
  );
