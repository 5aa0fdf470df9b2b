/** One pool: what it is, why, what may be ordered, what became of it, what its engine writes, and what was declared. */
import type { DeclaredSpec } from '../../ports.ts';
import { get, poolPath } from './api.ts';
import { chartOf, type DrawnChart } from './chart.ts';
import { type Described, h } from './dom.ts';
import { type LogPane, openLogs } from './logs.ts';
import { orderButtons } from './orders.ts';
import { progressOf, reasonOf, slots, stateBadge } from './pools.ts';
import { hrefOf } from './route.ts';
import { changed, known, type LivePool, placeOf } from './store.ts';
import { timeline } from './timeline.ts';
import { since } from './times.ts';
import { bytes, clock, hues, messageOf, known as orDash, pathOf } from './words.ts';

/** What of a page is not described anew each time, for the pool that is shown. */
interface Open {
  readonly id: string;
  readonly logs: LogPane;
  chart: DrawnChart | null;
  /** The engine that the spec was read for. */
  specOf: string | null;
  spec: DeclaredSpec | null;
  specTrouble: string | null;
}

let open: Open | null = null;

export const closePool = (): void => {
  open?.logs.close();
  open = null;
};

export const poolPage = (id: string): Described[] => {
  const pool = known.pools.get(id);
  const back = h('p', {}, h('a', { href: hrefOf('overview') }, '← All pools'));
  if (pool === undefined) {
    closePool();
    return [back, h('h1', {}, id), h('p', {}, known.begun ? `There is no pool ${id} on this node.` : 'Waiting for the daemon.')];
  }
  if (open?.id !== id) {
    closePool();
    open = { id, logs: openLogs(id), chart: null, specOf: null, spec: null, specTrouble: null };
  }
  const here = open;
  readSpec(here, pool);
  here.chart?.light(`pool.${pathOf(pool)}`);
  return [
    back,
    h(
      'div',
      { class: `title s-${pool.state}` },
      h('h1', {}, h('i', { class: `swatch pool hue-${placeOf(id) % hues}` }), id),
      stateBadge(pool),
      h('span', { class: 'quiet' }, 'for ', since(pool.since)),
    ),
    h('div', { class: 'why' }, ...reasonOf(pool), progressOf(pool)),
    orderButtons(pool),
    h('section', { 'aria-label': 'Facts' }, h('dl', { class: 'facts' }, ...facts(pool, here))),
    ...lastError(pool),
    h('section', { 'aria-labelledby': 'timeline' }, h('h2', { id: 'timeline' }, 'Timeline'), ...timeline(pool)),
    h('section', { 'aria-labelledby': 'log' }, h('h2', { id: 'log' }, 'Log'), mounted(`log ${id}`, here.logs.element)),
    h(
      'details',
      { key: `chart ${id}`, ontoggle: (event) => void showChart(event, here, pool) },
      h('summary', {}, 'Statechart'),
      h('div', { class: 'chart small', key: 'c', opaque: true }),
    ),
    h('details', {}, h('summary', {}, 'Spec'), ...specOf(here)),
  ];
};

/** An element that somebody else keeps. */
const mounted = (key: string, element: HTMLElement): Described => {
  queueMicrotask(() => {
    const place = document.querySelector('[data-mount]');
    if (place !== null && element.parentElement !== place) place.replaceChildren(element);
  });
  return h('div', { key, opaque: true, 'data-mount': '' });
};

const facts = (pool: LivePool, { spec }: Open): Described[] => [
  fact('Engine', `${pool.engine} ${pool.engine_version ?? ''}`),
  fact('Model', orDash(pool.model)),
  fact('Endpoint', pool.endpoint === null ? orDash(null) : h('code', {}, pool.endpoint)),
  fact('Slots', ...slots(pool)),
  fact('GPUs', pool.device_mask === '' ? orDash(null) : pool.device_mask),
  fact('VRAM measured', bytes(pool.vram_used_bytes)),
  fact('VRAM promised', bytes(spec?.reserved_bytes ?? null), ...comparison(pool, spec)),
  fact('Residency', pool.residency),
  fact('Wanted', pool.wanted),
  fact('Restarts', String(pool.restarts)),
  fact('Declared', { file: 'in the pools file', api: 'over the API', attached: 'by a handoff file' }[pool.origin]),
];

const fact = (name: string, ...value: (Described | string)[]): Described => h('div', {}, h('dt', {}, name), h('dd', {}, ...value));

const comparison = ({ vram_used_bytes: used }: LivePool, spec: DeclaredSpec | null): (Described | string)[] => {
  const promised = spec?.reserved_bytes ?? null;
  if (used === null || promised === null || promised === 0) return [];
  return [h('span', { class: used > promised ? 'bad' : 'quiet' }, ` ${Math.round((used / promised) * 100)} % of it used`)];
};

const lastError = ({ last_error }: LivePool): Described[] => {
  if (last_error === null) return [];
  const { at, code, message, exit, tail } = last_error;
  const ended = exit === null ? '' : exit.signal === null ? `, exit code ${orDash(exit.code)}` : `, ended by ${exit.signal}`;
  return [
    h(
      'section',
      { 'aria-labelledby': 'error', class: 'error' },
      h('h2', { id: 'error' }, 'Last error'),
      h('p', {}, h('code', {}, code), ` at ${clock(at)}${ended}: ${message}`),
      tail.length === 0 ? null : h('pre', { class: 'log short', tabindex: 0, role: 'region', 'aria-label': 'Its last words' }, tail.join('\n')),
    ),
  ];
};

/** Asked for when the engine is another one than the spec was read for. */
const readSpec = (here: Open, pool: LivePool): void => {
  const now = `${pool.incarnation ?? ''} ${pool.live}`;
  if (here.specOf === now) return;
  here.specOf = now;
  get<DeclaredSpec>(poolPath(here.id, '/spec')).then(
    (spec) => {
      Object.assign(here, { spec, specTrouble: null });
      changed();
    },
    (thrown: unknown) => {
      here.specTrouble = messageOf(thrown);
      changed();
    },
  );
};

const specOf = ({ spec, specTrouble }: Open): Described[] => {
  if (spec === null) return [h('p', { class: specTrouble === null ? 'quiet' : 'bad' }, specTrouble ?? 'Asking the daemon.')];
  return [
    h('p', { class: 'quiet' }, 'With every default filled in, secrets taken out.'),
    h('pre', { class: 'log', tabindex: 0, role: 'region', 'aria-label': 'Spec' }, JSON.stringify(spec.spec, null, 2)),
  ];
};

const showChart = async (event: Event, here: Open, pool: LivePool): Promise<void> => {
  const details = event.currentTarget;
  if (!(details instanceof HTMLDetailsElement) || !details.open || here.chart !== null) return;
  here.chart = await chartOf('pool');
  const place = details.querySelector('.chart');
  place?.replaceChildren(here.chart.element);
  here.chart.light(`pool.${pathOf(known.pools.get(pool.pool_id) ?? pool)}`);
  if (place !== null) here.chart.show(place);
};
