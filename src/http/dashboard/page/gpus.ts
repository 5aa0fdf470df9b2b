/** GPUs: how the memory of each is divided between pools, others and nobody, and how the card is. */
import { type Described, h } from './dom.ts';
import { hrefOf } from './route.ts';
import { known, type LiveGpu, placeOf } from './store.ts';
import { bytes, clock, hues, inWords, known as orDash, plural } from './words.ts';

interface Part {
  readonly kind: 'pool' | 'foreign' | 'other' | 'free';
  readonly name: string;
  readonly bytes: number;
}

export const gpuCards = (): Described[] => {
  const { gpus, node } = known;
  if (gpus.length === 0) return [h('p', { class: 'quiet' }, node?.gpus_state === 'known' ? 'This node has no GPU.' : 'The GPUs are not known yet.')];
  return [h('ul', { class: 'gpus', role: 'list' }, ...gpus.map(gpuCard))];
};

const gpuCard = (gpu: LiveGpu): Described => {
  const parts = partsOf(gpu);
  const total = gpu.memory_total_bytes;
  return h(
    'li',
    { key: gpu.uuid, class: `gpu${gpu.stale ? ' old' : ''}` },
    h('h3', {}, h('span', { class: 'index' }, `GPU ${gpu.index}`), ` ${gpu.name}`),
    h(
      'div',
      {
        class: 'vram',
        role: 'img',
        'aria-label': `VRAM: ${parts.map(({ name, bytes: size }) => `${name} ${bytes(size)}`).join(', ')} of ${bytes(total)}`,
      },
      ...(total === null ? [] : parts.map((part) => segment(part, total))),
      ...(total === null || gpu.memory_reserved_bytes === 0
        ? []
        : [
            h('i', {
              class: 'promised',
              title: `${bytes(gpu.memory_reserved_bytes)} promised to pools`,
              style: { left: percent(gpu.memory_reserved_bytes, total) },
            }),
          ]),
    ),
    h('ul', { class: 'legend', role: 'list' }, ...parts.map(legend)),
    h(
      'p',
      { class: 'vitals' },
      `${bytes(gpu.memory_used_bytes)} of ${bytes(total)} used, ${bytes(gpu.memory_reserved_bytes)} promised`,
      h('span', { title: 'temperature' }, `${orDash(gpu.temperature_c)} °C`),
      h('span', { title: 'power' }, `${orDash(gpu.power_watts === null ? null : Math.round(gpu.power_watts))} W`),
      h('span', { title: 'utilisation' }, `${orDash(gpu.utilisation_percent)} % busy`),
    ),
    ...troubles(gpu).map((line) => h('p', { class: 'bad' }, line)),
  );
};

const segment = ({ kind, name, bytes: size }: Part, total: number): Described =>
  h('i', { class: `part ${kind} ${hueOf(kind, name)}`, title: `${name}: ${bytes(size)}`, style: { width: percent(size, total) } });

const legend = ({ kind, name, bytes: size }: Part): Described =>
  h(
    'li',
    {},
    h('i', { class: `swatch ${kind} ${hueOf(kind, name)}` }),
    kind === 'pool' && known.pools.has(name) ? h('a', { href: hrefOf('overview', name) }, name) : name,
    h('span', {}, ` ${bytes(size)}`),
  );

const hueOf = (kind: Part['kind'], name: string): string => (kind === 'pool' ? `hue-${placeOf(name) % hues}` : '');

const percent = (part: number, whole: number): string => `${Math.min(100, (part / Math.max(1, whole)) * 100)}%`;

/** Pools by name, processes that are nobody's, what the driver counts as used and no process accounts for, and the rest. */
export const partsOf = ({ processes, memory_used_bytes, memory_free_bytes }: LiveGpu): Part[] => {
  const byPool = new Map<string, number>();
  let foreign = 0;
  for (const { poolId, usedBytes } of processes) {
    if (poolId == null) foreign += usedBytes ?? 0;
    else byPool.set(poolId, (byPool.get(poolId) ?? 0) + (usedBytes ?? 0));
  }
  const pools = [...byPool].sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, size]): Part => ({ kind: 'pool', name, bytes: size }));
  const accounted = pools.reduce((sum, { bytes: size }) => sum + size, foreign);
  const rest = memory_used_bytes === null ? 0 : memory_used_bytes - accounted;
  const parts: Part[] = [
    ...pools,
    { kind: 'foreign', name: 'foreign', bytes: foreign },
    { kind: 'other', name: 'unaccounted', bytes: Math.max(0, rest) },
  ];
  return [
    ...parts.filter(({ bytes: size }) => size > 0),
    ...(memory_free_bytes === null ? [] : [{ kind: 'free', name: 'free', bytes: memory_free_bytes } as const]),
  ];
};

const troubles = ({ stale, health, health_reason, recommended_action, quarantine, last_xid, xids }: LiveGpu): string[] => [
  ...(stale ? ['These numbers are old: the driver did not answer of late.'] : []),
  ...(health === 'healthy' ? [] : [`${inWords(health)}${health_reason === null ? '' : `: ${health_reason.message}`}`]),
  ...(recommended_action === null ? [] : [`To be done by a person: ${recommended_action.replaceAll('_', ' ')}`]),
  ...(quarantine === null ? [] : [`Nothing is put on it: ${quarantine.message}`]),
  ...(last_xid === null
    ? []
    : [`${plural(xids, 'error')} in the kernel's log, the latest at ${clock(last_xid.at)}: Xid ${last_xid.code}, ${last_xid.message}`]),
];
