/** The buttons of a pool: those the daemon says it takes now and that would change something. What hurts is asked first. */
import { order, poolPath } from './api.ts';
import { ask } from './ask.ts';
import { type Described, h } from './dom.ts';
import { outcomeOf, outcomeText } from './outcome.ts';
import { go, hrefOf } from './route.ts';
import type { LivePool } from './store.ts';
import { plural } from './words.ts';

export const orderButtons = (pool: LivePool): Described => {
  const { pool_id, origin } = pool;
  const buttons = offered(pool).map(({ text, act, hurts }) =>
    h('button', { key: text, class: hurts ? 'danger' : '', onclick: () => void act(pool) }, text),
  );
  const line =
    origin === 'attached'
      ? 'Its engine belongs to whoever wrote its handoff file: it is ordered there.'
      : buttons.length === 0
        ? 'The daemon takes no orders for it right now.'
        : '';
  return h(
    'div',
    { class: 'orders', role: 'group', 'aria-label': `Orders for ${pool_id}` },
    ...buttons,
    line === '' ? null : h('p', { class: 'quiet' }, line),
    outcomeText(pool_id),
  );
};

interface Offer {
  readonly text: string;
  /** Ends work or an engine for good. */
  readonly hurts: boolean;
  readonly act: (pool: LivePool) => unknown;
}

const offered = ({ accepts, wanted, state }: LivePool): Offer[] => [
  ...(accepts.includes('preload') && (wanted === 'down' || state === 'offline') && !accepts.includes('resume')
    ? [{ text: wanted === 'down' ? 'Start' : 'Try again now', hurts: false, act: start }]
    : []),
  ...(accepts.includes('resume') ? [{ text: 'Resume', hurts: false, act: resume }] : []),
  ...(accepts.includes('drain') && wanted === 'up' ? [{ text: 'Drain', hurts: true, act: drain }] : []),
  ...(accepts.includes('reload') ? [{ text: 'Reload', hurts: false, act: reload }] : []),
  ...(accepts.includes('remove') ? [{ text: 'Remove', hurts: true, act: remove }] : []),
];

const start = ({ pool_id }: LivePool): void => outcomeOf(pool_id, 'It is wanted up', order('POST', poolPath(pool_id, '/preload')));

const resume = ({ pool_id }: LivePool): void => outcomeOf(pool_id, 'The drain is taken back', order('POST', poolPath(pool_id, '/resume')));

const drain = async (pool: LivePool): Promise<void> => {
  const { pool_id } = pool;
  const entered = await ask({
    title: `Drain ${pool_id}?`,
    lines: [
      `${work(pool)} What is in flight is finished first, new work is no longer sent here, and then the engine ends.`,
      'It stays down until somebody starts it. What is not finished at the deadline is cut off.',
    ],
    fields: [{ name: 'seconds', label: 'Deadline in seconds', placeholder: "the pool's own", type: 'number' }],
    yes: `Drain ${pool_id}`,
  });
  if (entered === null) return;
  const body = entered['seconds'] === undefined ? {} : { deadline_ms: Math.round(Number(entered['seconds']) * 1000) };
  outcomeOf(pool_id, 'It is wanted down', order('POST', poolPath(pool_id, '/drain'), body));
};

const reload = async (pool: LivePool): Promise<void> => {
  const { pool_id, slots_total } = pool;
  const entered = await ask({
    title: `Reload ${pool_id} with something changed?`,
    lines: [
      'An engine with these changes comes up beside the old one where there is room for both, and takes over once it is ready. Where there is none the old one is drained first, and nothing is served until the new one is ready. What is left empty stays as it is; where nothing changes that the engine has a part in, it goes on.',
      work(pool),
    ],
    fields: [
      { name: 'model', label: 'Model', placeholder: pool.model ?? 'as before', type: 'text' },
      { name: 'slots', label: 'Slots', placeholder: slots_total === null ? 'as before' : String(slots_total), type: 'number' },
      { name: 'ctx', label: 'Context of each slot, in tokens', placeholder: 'as before', type: 'number' },
    ],
    yes: `Reload ${pool_id}`,
  });
  if (entered === null) return;
  const changes = Object.fromEntries(Object.entries(entered).map(([name, value]) => [name, name === 'model' ? value : Number(value)]));
  outcomeOf(pool_id, reloadTaken, order('POST', poolPath(pool_id, '/reload'), changes));
};

/** Without an operation the daemon found nothing that the engine has a part in. */
const reloadTaken = (answer: unknown): string =>
  Object(answer).operation_id === null
    ? 'It goes on as it is: nothing changes that its engine has a part in'
    : 'A new engine is on its way; what comes of it is told below';

const remove = async (pool: LivePool): Promise<void> => {
  const { pool_id } = pool;
  const entered = await ask({
    title: `Remove ${pool_id}?`,
    lines: [`${work(pool)} It is drained, and then this node forgets it, with its history.`],
    yes: `Remove ${pool_id}`,
  });
  if (entered === null) return;
  outcomeOf(
    pool_id,
    'It is being removed',
    order('DELETE', poolPath(pool_id)).then(() => go(hrefOf('overview'))),
  );
};

const work = ({ active_leases, live }: LivePool): string => {
  if (!live) return 'No engine of it runs.';
  return active_leases === null ? 'How much is in flight is not known.' : `${plural(active_leases, 'request')} in flight now.`;
};
