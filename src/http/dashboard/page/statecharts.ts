/**
 * The charts at work: an actor's chart with its active states lit and its last transition marked, and beside it what happened.
 *
 * Live from the daemon, or from a journal file, in which one goes forwards and back.
 */
import { chartOf, type DrawnChart } from './chart.ts';
import { type Described, h } from './dom.ts';
import { type Journal, openJournal } from './journal.ts';
import { momentDetails, momentList } from './moment-views.ts';
import { type Actor, type Cast, type Moment, machines } from './moments.ts';
import { lookOn, type Onlooker } from './onlooker.ts';
import { go, hrefOf } from './route.ts';
import { lineKey } from './state-path.ts';
import { changed } from './store.ts';
import { clock, inWords, messageOf, plural } from './words.ts';

let onlooker: Onlooker | null = null;
let journal: Journal | null = null;
let trouble: string | null = null;
let chosen: Moment | null = null;
/** Pixels for each unit of the drawing; null: all of it is to be seen. */
let zoom: number | null = 0.9;

/** The drawing that is in the page, and what it shows. */
let drawn: { readonly machine: string; readonly chart: DrawnChart } | null = null;
let drawing: string | null = null;
let lit = '';

export const closeCharts = (): void => {
  onlooker?.close();
  onlooker = null;
  drawn = null;
  drawing = null;
  lit = '';
  chosen = null;
};

export const chartsPage = (asked: string | null): Described[] => {
  if (journal === null) onlooker ??= lookOn();
  const cast = journal?.cast ?? onlooker?.cast ?? new Map();
  const actor = actorOf(cast, asked);
  const moments = momentsOf(actor);
  const shown = chosen ?? (journal === null ? moments.at(-1) : journal.moments[journal.at()]) ?? null;
  if (actor !== null) show(actor, shown, moments);
  return [
    h('h1', {}, 'Statecharts'),
    source(),
    ...(journal === null ? [] : [stepper(journal)]),
    chooser(cast, actor),
    h(
      'div',
      { class: 'charting' },
      h(
        'section',
        { 'aria-label': 'Chart', class: 'drawing' },
        h(
          'div',
          { class: 'row' },
          h('button', { class: 'small', 'aria-label': 'Smaller', onclick: () => zoomTo(scale() / 1.3) }, '−'),
          h('button', { class: 'small', 'aria-label': 'Larger', onclick: () => zoomTo(scale() * 1.3) }, '+'),
          h('button', { class: 'small', onclick: () => zoomTo(null) }, 'Whole'),
          h('span', { class: 'quiet', role: 'status' }, actor === null ? 'nobody lives here' : inWords(actor.path)),
        ),
        h('div', { class: 'chart', tabindex: 0, role: 'region', 'aria-label': 'Drawing', key: 'chart', opaque: true }),
      ),
      h(
        'section',
        { 'aria-labelledby': 'happened', class: 'happened' },
        h('h2', { id: 'happened' }, 'What happened'),
        momentDetails(shown, journal !== null),
        momentList(moments, shown, journal === null, choose),
      ),
    ),
  ];
};

const choose = (moment: Moment | null): void => {
  if (journal !== null && moment !== null) journal.goTo(journal.moments.indexOf(moment));
  chosen = journal === null ? moment : null;
  if (moment !== null && journal !== null && actorId() !== moment.actor) go(hrefOf('statecharts', moment.actor));
  changed();
};

let shownActor: string | null = null;
const actorId = (): string | null => shownActor;

/** The one that is asked for: an actor by its id, or the newest of a pool; else the first there is. */
const actorOf = (cast: Cast, asked: string | null): Actor | null => {
  const all = sorted(cast);
  const found = all.find(({ id }) => id === asked) ?? all.findLast(({ id }) => id.split('#')[0] === asked) ?? null;
  const actor = found ?? (asked === null ? (all[0] ?? null) : null);
  if (actor?.id !== shownActor) chosen = null;
  shownActor = actor?.id ?? null;
  return actor;
};

const sorted = (cast: Cast): readonly Actor[] => {
  const rank = ({ machine }: Actor): number => machines.indexOf(machine);
  return [...cast.values()].sort((one, other) => rank(one) - rank(other) || (one.id < other.id ? -1 : 1));
};

const momentsOf = (actor: Actor | null): readonly Moment[] => {
  if (journal !== null) {
    // A window around the one that is shown: a journal may have a hundred thousand.
    const at = journal.at();
    return journal.moments.slice(Math.max(0, at - 60), at + 60);
  }
  return (onlooker?.moments ?? []).filter((moment) => moment.actor === actor?.id).slice(-200);
};

const source = (): Described =>
  h(
    'div',
    { class: 'row source' },
    h(
      'span',
      { class: 'quiet', role: 'status' },
      trouble ?? (journal === null ? (onlooker?.trouble() ?? 'live from the daemon') : `from ${journal.name}`),
    ),
    h(
      'label',
      { class: 'file' },
      'Open a journal',
      h('input', { type: 'file', accept: '.jsonl,.json,application/json', class: 'unseen', onchange: pick }),
    ),
    journal === null ? null : h('button', { class: 'small', onclick: backToLive }, 'Back to live'),
  );

const pick = (event: Event): void => {
  const file = event.target instanceof HTMLInputElement ? event.target.files?.[0] : undefined;
  if (file === undefined) return;
  openJournal(file).then(
    (opened) => {
      closeCharts();
      journal = opened;
      journal.goTo(0);
      trouble = null;
      go(hrefOf('statecharts', journal.moments[0]?.actor ?? null));
    },
    (thrown: unknown) => {
      trouble = messageOf(thrown);
      changed();
    },
  );
};

const backToLive = (): void => {
  closeCharts();
  journal = null;
  go(hrefOf('statecharts'));
};

const stepper = (here: Journal): Described => {
  const [at, last] = [here.at(), here.moments.length - 1];
  const moment = here.moments[at];
  const step = (place: number) => (): void => {
    here.goTo(place);
    const now = here.moments[here.at()];
    // One goes with whoever does something.
    if (now !== undefined && now.actor !== actorId()) history.replaceState(null, '', hrefOf('statecharts', now.actor));
    changed();
  };
  return h(
    'div',
    { class: 'stepper', role: 'group', 'aria-label': 'Going through the journal' },
    h('button', { class: 'small', 'aria-label': 'To the first', onclick: step(0), disabled: at <= 0 }, '⏮'),
    h('button', { class: 'small', 'aria-label': 'One back', onclick: step(at - 1), disabled: at <= 0 }, '◀'),
    h('input', {
      type: 'range',
      'aria-label': 'Place in the journal',
      min: 0,
      max: last,
      value: at,
      oninput: (event) => step(event.target instanceof HTMLInputElement ? Number(event.target.value) : at)(),
    }),
    h('button', { class: 'small', 'aria-label': 'One on', onclick: step(at + 1), disabled: at >= last }, '▶'),
    h('button', { class: 'small', 'aria-label': 'To the last', onclick: step(last), disabled: at >= last }, '⏭'),
    h(
      'span',
      { class: 'quiet', role: 'status' },
      `${at + 1} of ${last + 1}${moment === undefined ? '' : `, number ${moment.id}, ${clock(moment.at)}`}${here.passedOver === 0 ? '' : `; ${plural(here.passedOver, 'line')} passed over`}`,
    ),
  );
};

const chooser = (cast: Cast, actor: Actor | null): Described =>
  h(
    'nav',
    { 'aria-label': 'Actors', class: 'actors' },
    ...sorted(cast).map(({ id, machine, path }) =>
      h(
        'a',
        {
          key: id,
          href: hrefOf('statecharts', id),
          'aria-current': actor?.id === id ? 'true' : null,
          class: `actor s-${path.split('.')[0]}`,
        },
        h('b', { title: id }, id.length > 18 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id),
        h('span', { class: 'at' }, machine === 'node' ? '' : inWords(path)),
      ),
    ),
  );

/** Draws the chart where it is another one, and sets its lights. */
const show = (actor: Actor, moment: Moment | null, moments: readonly Moment[]): void => {
  if (drawing !== actor.machine) {
    drawing = actor.machine;
    drawn = null;
    lit = '';
    chartOf(actor.machine).then(
      (chart) => {
        if (drawing === actor.machine) drawn = { machine: actor.machine, chart };
        changed();
      },
      (thrown: unknown) => {
        drawing = null;
        trouble = `The chart could not be loaded: ${messageOf(thrown)}`;
      },
    );
  }
  // The page is made first.
  if (drawn !== null) queueMicrotask(() => light(actor, moment, moments));
};

const light = ({ machine, path }: Actor, moment: Moment | null, moments: readonly Moment[]): void => {
  const place = document.querySelector('.drawing .chart');
  if (drawn === null || drawn.machine !== machine || place === null) return;
  const { chart } = drawn;
  if (chart.element.parentElement !== place) {
    place.replaceChildren(chart.element);
    zoomTo(zoom);
    lit = '';
  }
  const own = moment !== null && moment.machine === machine ? moment : null;
  const state = chosen === null || own === null ? path : own.to;
  chart.light(`${machine}.${state}`);
  // What just happened may have moved nothing: then what moved it last is still where it came from.
  const mover = chosen === null && journal === null ? (moments.findLast(({ from, to }) => from !== to) ?? null) : own;
  chart.mark(mover === null ? [] : linesOf(chart, mover));
  if (lit !== state) chart.show(place);
  lit = state;
};

const linesOf = (chart: DrawnChart, { machine, from, to, event, steps }: Moment): readonly string[] =>
  steps === null
    ? chart.between(`${machine}.${from}`, `${machine}.${to}`, event.type)
    : steps.flatMap(({ source: left, targets }) => targets.map((target) => lineKey(left, target)));

const scale = (): number => {
  const element = drawn?.chart.element;
  return zoom ?? (element === undefined ? 1 : element.clientWidth / element.viewBox.baseVal.width);
};

const zoomTo = (factor: number | null): void => {
  zoom = factor === null ? null : Math.min(3, Math.max(0.15, factor));
  const place = document.querySelector('.drawing .chart');
  if (drawn === null || place === null) return;
  const { element } = drawn.chart;
  element.style.setProperty('width', zoom === null ? '100%' : `${zoom * element.viewBox.baseVal.width}px`);
  drawn.chart.show(place);
};
