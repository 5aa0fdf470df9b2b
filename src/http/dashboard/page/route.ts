/** Where in the page one is: the path says which view, what is behind `#/` which pool or actor. */
import { changed } from './store.ts';

export interface Route {
  readonly view: 'overview' | 'statecharts';
  /** Pool or actor; null: none is chosen. */
  readonly id: string | null;
}

export const route = (): Route => ({
  view: location.pathname === '/statecharts' ? 'statecharts' : 'overview',
  id: location.hash.startsWith('#/') && location.hash.length > 2 ? decodeURIComponent(location.hash.slice(2)) : null,
});

export const hrefOf = (view: Route['view'], id: string | null = null): string =>
  `${view === 'statecharts' ? '/statecharts' : '/'}${id === null ? '' : `#/${encodeURIComponent(id)}`}`;

export const go = (href: string): void => {
  history.pushState(null, '', href);
  arrive();
};

/** Whoever goes by keyboard or by ear begins where the new view does. */
const arrive = (): void => {
  scrollTo(0, 0);
  document.querySelector<HTMLElement>('#main')?.focus({ preventScroll: true });
  changed();
};

/** Links within the page change the view instead of loading it anew, which would forget the token. */
export const startRouting = (): void => {
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const { origin, pathname } = link;
    if (origin !== location.origin || !['/', '/statecharts'].includes(pathname) || link.hash === '#main') return;
    event.preventDefault();
    go(link.href);
  });
  addEventListener('popstate', changed);
};
