/** Puts the page together: connects, and shows what is known at each change. */
import { bar } from './bar.ts';
import { render } from './dom.ts';
import { isTokenWanted, loginForm, wantToken } from './login.ts';
import { overview } from './overview.ts';
import { closePool, poolPage } from './pool.ts';
import { route, startRouting } from './route.ts';
import { chartsPage, closeCharts } from './statecharts.ts';
import { changed, connect, forget, known, watch } from './store.ts';
import { startClock } from './times.ts';

const placed = (id: string): HTMLElement => {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element;
};

const [top, main] = [placed('bar'), placed('main')];

const show = (): void => {
  render(top, ...bar());
  const { view, id } = route();
  document.documentElement.classList.toggle('stale', known.staleSince !== null && known.begun);
  document.title = [isTokenWanted() ? 'Sign in' : view === 'statecharts' ? 'Statecharts' : id, known.node?.node_id, 'pool-managerd']
    .filter((part) => part != null)
    .join(' · ');
  if (view !== 'overview' || id === null || isTokenWanted()) closePool();
  if (view !== 'statecharts' || isTokenWanted()) closeCharts();
  main.className = isTokenWanted() ? 'signing' : id === null || view === 'statecharts' ? view : 'pool-page';
  if (isTokenWanted()) render(main, loginForm());
  else if (view === 'statecharts') render(main, ...chartsPage(id));
  else render(main, ...(id === null ? overview() : poolPage(id)));
};

const join = (): void => {
  connect((message) => {
    forget();
    wantToken(message, join);
    changed();
  });
  changed();
};

watch(show);
startRouting();
startClock();
join();
