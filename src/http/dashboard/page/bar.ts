/** The top of the page: which node this is, the views there are, and whether what is shown is what there is. */
import { type Described, h } from './dom.ts';
import { hrefOf, route } from './route.ts';
import { known } from './store.ts';
import { clock } from './words.ts';

export const bar = (): Described[] => {
  const { node } = known;
  return [
    h('a', { class: 'brand', href: '/' }, h('img', { src: '/assets/icon.svg', alt: '', width: 20, height: 20 }), 'pool-managerd'),
    h('span', { class: 'node-name' }, node?.node_id ?? ''),
    h('nav', { 'aria-label': 'Views' }, tab('Pools', 'overview'), tab('Statecharts', 'statecharts')),
    h('p', { class: `link ${linkState()}`, role: 'status' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), linkWords()),
  ];
};

const tab = (text: string, view: 'overview' | 'statecharts'): Described =>
  h('a', { class: 'tab', href: hrefOf(view), 'aria-current': route().view === view ? 'page' : null }, text);

const linkState = (): string => (known.staleSince !== null ? 'stale' : known.begun ? 'live' : 'joining');

const linkWords = (): string => {
  if (known.staleSince !== null) return known.begun ? `stale since ${clock(known.staleSince)}` : 'no answer from the daemon; trying again';
  return known.begun ? 'live' : 'connecting';
};
