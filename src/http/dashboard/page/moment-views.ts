/** Moments as a list to choose from, and one of them in full: from, to, transitions, guards, actions, and the event itself. */
import { type Described, h } from './dom.ts';
import type { Moment, Taken } from './moments.ts';
import { clock, eventInWords, inWords } from './words.ts';

/** `newestFirst`: live, what just happened is on top; a journal is read downwards. */
export const momentList = (
  moments: readonly Moment[],
  shown: Moment | null,
  newestFirst: boolean,
  choose: (moment: Moment | null) => void,
): Described =>
  h(
    'ol',
    { class: 'moments', role: 'list' },
    ...(newestFirst ? moments.toReversed() : moments).map((moment) =>
      h(
        'li',
        { key: `${moment.actor} ${moment.id}`, memo: `${moment.id} ${moment === shown}` },
        h(
          'button',
          { 'aria-pressed': moment === shown ? 'true' : 'false', class: moment.from === moment.to ? 'still' : '', onclick: () => choose(moment) },
          h('time', { datetime: moment.at }, clock(moment.at)),
          newestFirst ? null : h('span', { class: 'quiet' }, moment.actor),
          h('code', {}, eventInWords(moment.event.type)),
          moment.from === moment.to ? null : h('span', {}, `→ ${inWords(moment.to)}`),
        ),
      ),
    ),
  );

export const momentDetails = (moment: Moment | null, isJournal: boolean): Described => {
  if (moment === null) return h('p', { class: 'quiet' }, 'Nothing yet.');
  const { id, actor, event, from, to, steps, source, status } = moment;
  return h(
    'div',
    { class: 'moment', 'data-moment': id },
    h(
      'dl',
      {},
      ...line('Event', h('code', { title: event.type }, eventInWords(event.type))),
      ...line('By', source ?? 'itself, or the outside'),
      ...line('From', orNothing(from)),
      ...line('To', orNothing(to)),
    ),
    status === 'active' ? null : h('p', { class: 'quiet' }, `Its life ended: ${status}`),
    ...(steps === null
      ? []
      : steps.length === 0
        ? [h('p', { class: 'quiet' }, 'Nothing in this state takes it.')]
        : [h('ol', { class: 'steps' }, ...steps.map(step))]),
    isJournal ? h('p', { class: 'quiet' }, 'Guards and actions: ', h('code', {}, `pool-managerd explain FILE ${id}`)) : null,
    h(
      'details',
      {},
      h('summary', {}, `The event as ${actor} received it`),
      h('pre', { class: 'log short', tabindex: 0, role: 'region', 'aria-label': 'Event' }, JSON.stringify(event, null, 2)),
    ),
  );
};

const line = (name: string, value: Described | string): Described[] => [h('div', {}, h('dt', {}, name), h('dd', {}, value))];

const orNothing = (path: string): string => (path === '' ? 'nothing: its life begins' : inWords(path));

const step = ({ source, targets, guard, actions, on }: Taken): Described =>
  h(
    'li',
    {},
    h(
      'span',
      {},
      `${source.replace(/^[^.]*\./, '')} `,
      targets.length === 0 ? 'stays' : `→ ${targets.map((one) => one.replace(/^[^.]*\./, '')).join(', ')}`,
    ),
    h('span', { class: 'quiet' }, on === '' ? ' at once' : ''),
    guard === null ? null : h('span', { class: 'quiet' }, ` because ${guard}`),
    actions.length === 0 ? null : h('span', { class: 'quiet' }, `; does ${actions.join(', ')}`),
  );
