/** The list of pools: one row each, with what it does, why, and since when. Rows that have not changed are not looked at. */
import { declareButton } from './declare.ts';
import { type Described, h } from './dom.ts';
import { hrefOf } from './route.ts';
import { changed, type LivePool, placeOf, pools } from './store.ts';
import { since, until } from './times.ts';
import { bytes, hues, inWords, known, plural } from './words.ts';

let sought = '';
/** From so many on one wants to search. */
const many = 8;

export const poolList = (): Described[] => {
  const all = pools();
  const shown = sought === '' ? all : all.filter(matches);
  const ready = all.filter((pool) => pool.ready).length;
  return [
    h(
      'div',
      { class: 'heading' },
      h('h2', { id: 'pools' }, 'Pools'),
      h(
        'p',
        { class: 'quiet' },
        all.length === 0 ? '' : `${ready} of ${all.length} ready${shown.length === all.length ? '' : `, ${shown.length} shown`}`,
      ),
      all.length < many && sought === '' ? null : search(),
      declareButton(),
    ),
    all.length === 0
      ? h('p', { class: 'quiet' }, 'No pools are declared. Write a pools file, or declare one here.')
      : h('ul', { class: 'pools', role: 'list' }, ...shown.map(row)),
  ];
};

const search = (): Described =>
  h('input', {
    type: 'search',
    'aria-label': 'Show only pools with these words in id, state, engine, model or reason',
    placeholder: 'Filter',
    oninput: (event) => {
      sought = event.target instanceof HTMLInputElement ? event.target.value.trim().toLowerCase() : '';
      changed();
    },
  });

const matches = ({ pool_id, state, substate, engine, model, reason }: LivePool): boolean => {
  const text = `${pool_id} ${state} ${substate} ${engine} ${model ?? ''} ${reason?.code ?? ''} ${reason?.message ?? ''}`.toLowerCase();
  return sought.split(/\s+/).every((word) => text.includes(word));
};

/** A pool that has not changed is the same object, and so is its row. */
const rows = new WeakMap<LivePool, Described>();

const row = (pool: LivePool): Described => {
  const made = rows.get(pool) ?? describeRow(pool);
  rows.set(pool, made);
  return made;
};

const describeRow = (pool: LivePool): Described =>
  h(
    'li',
    { key: pool.pool_id, class: `pool s-${pool.state}${isTroubled(pool) ? ' troubled' : ''}`, 'data-pool': pool.pool_id },
    h(
      'div',
      { class: 'who' },
      h('a', { href: hrefOf('overview', pool.pool_id) }, h('i', { class: `swatch pool hue-${placeOf(pool.pool_id) % hues}` }), pool.pool_id),
      h('span', { class: 'quiet' }, [pool.engine, pool.model === null ? null : lastPart(pool.model)].filter((part) => part !== null).join(' · ')),
    ),
    h('div', { class: 'where' }, stateBadge(pool), h('span', { class: 'quiet' }, 'for ', since(pool.since))),
    h('div', { class: 'work' }, ...slots(pool)),
    h(
      'div',
      { class: 'much' },
      label('VRAM'),
      bytes(pool.vram_used_bytes),
      h('span', { class: 'quiet' }, pool.device_mask === '' ? '' : ` GPU ${pool.device_mask}`),
    ),
    h('div', { class: 'again' }, pool.restarts === 0 ? h('span', { class: 'quiet' }, 'no restarts') : plural(pool.restarts, 'restart')),
    h('div', { class: 'why' }, ...reasonOf(pool), progressOf(pool)),
  );

export const isTroubled = ({ state, wanted, degraded }: LivePool): boolean => (state === 'offline' && wanted === 'up') || degraded.length > 0;

export const stateBadge = ({ state, substate }: LivePool): Described =>
  h('span', { class: 'state' }, h('b', {}, inWords(state)), substate === '' ? '' : ` ${inWords(substate)}`);

const label = (text: string): Described => h('span', { class: 'unseen' }, `${text} `);

/** As many boxes as slots, up to what can be told apart. */
const mostBoxes = 16;

export const slots = ({ slots_total, slots_free, active_leases }: LivePool): Described[] => {
  const busy = slots_total === null || slots_free === null ? null : slots_total - slots_free;
  return [
    ...(slots_total === null || slots_total > mostBoxes
      ? []
      : [
          h(
            'span',
            { class: 'boxes', 'aria-hidden': 'true' },
            ...Array.from({ length: slots_total }, (_, index) => h('i', { class: busy !== null && index < busy ? 'busy' : '' })),
          ),
        ]),
    h('span', {}, slots_free === null && slots_total === null ? known(null) : `${known(slots_free)}/${known(slots_total)} free`),
    h('span', { class: 'quiet' }, active_leases === null ? '' : `${active_leases} in flight`),
  ];
};

/** Why it is where it is, what it lacks, and when something is tried again: in words. */
export const reasonOf = ({ reason, degraded }: LivePool): Described[] => [
  ...(reason === null
    ? []
    : [
        h('span', { class: 'reason' }, h('code', {}, reason.code), ` ${reason.message}`),
        ...(reason.next_retry_at === null ? [] : [h('span', { class: 'quiet' }, 'tried again ', until(reason.next_retry_at))]),
      ]),
  ...degraded.map((word) => h('span', { class: 'bad' }, inWords(word.replaceAll('_', ' ')))),
];

export const progressOf = ({ progress, pool_id }: LivePool): Described | null => {
  if (progress === null) return null;
  const { step, done_bytes, total_bytes, bytes_per_second } = progress;
  const isKnown = done_bytes !== null && total_bytes !== null && total_bytes > 0;
  return h(
    'span',
    { class: 'progress' },
    h('progress', { 'aria-label': `${pool_id}: ${step}`, ...(isKnown && { max: total_bytes, value: done_bytes }) }),
    ` ${step} ${bytes(done_bytes)} of ${bytes(total_bytes)}${bytes_per_second === null ? '' : `, ${bytes(bytes_per_second)} a second`}`,
  );
};

const lastPart = (path: string): string => path.split('/').at(-1) ?? path;
