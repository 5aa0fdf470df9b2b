/** What became of a pool, newest first: asked for again whenever it has moved. */
import type { TransitionRecord } from '../../ports.ts';
import { get, poolPath } from './api.ts';
import { type Described, h } from './dom.ts';
import { changed, type LivePool } from './store.ts';
import { clock, eventInWords, inWords, messageOf } from './words.ts';

const page = 50;

interface Shown {
  readonly id: string;
  /** What the pool was when this was asked for. */
  asked: string;
  limit: number;
  events: readonly TransitionRecord[];
  trouble: string | null;
}

let shown: Shown | null = null;

export const timeline = (pool: LivePool): Described[] => {
  const now = [pool.state, pool.substate, pool.since, pool.wanted, pool.incarnation, pool.restarts].join();
  if (shown?.id !== pool.pool_id) shown = { id: pool.pool_id, asked: '', limit: page, events: [], trouble: null };
  if (shown.asked !== now) void read(shown, now);
  const { events, trouble, limit } = shown;
  return [
    trouble === null ? h('p', { class: 'quiet' }, events.length === 0 ? 'Nothing yet.' : '') : h('p', { class: 'bad', role: 'alert' }, trouble),
    h(
      'div',
      { class: 'timeline', tabindex: 0, role: 'region', 'aria-label': 'Timeline, newest first' },
      h('ol', { role: 'list' }, ...events.map(entry)),
    ),
    events.length >= limit && limit < 1000 ? h('button', { class: 'small', onclick: more }, 'Earlier ones too') : null,
  ].filter((one) => one !== null);
};

const more = (): void => {
  if (shown === null) return;
  shown.limit = Math.min(1000, shown.limit * 4);
  void read(shown, shown.asked);
};

const read = async (into: Shown, now: string): Promise<void> => {
  into.asked = now;
  try {
    into.events = (await get<{ events: readonly TransitionRecord[] }>(poolPath(into.id, `/events?limit=${into.limit}`))).events;
    into.trouble = null;
  } catch (thrown) {
    into.trouble = `The timeline could not be read: ${messageOf(thrown)}`;
  }
  changed();
};

const entry = ({ seq, at, event, from, to, reason, outcome }: TransitionRecord): Described =>
  h(
    'li',
    { key: String(seq), memo: seq, class: `s-${to.split('.')[0]}` },
    h('time', { datetime: at, title: at }, clock(at)),
    h('span', { class: 'move' }, from === '' ? '' : h('span', { class: 'quiet' }, `${inWords(from)} → `), h('b', {}, inWords(to))),
    h('code', { title: event }, eventInWords(event)),
    outcome === null ? null : h('span', { class: outcome === 'reloaded' ? 'good' : 'bad' }, inWords(outcome.replaceAll('_', ' '))),
    reason === null ? null : h('span', { class: 'reason' }, reason.message),
  );
