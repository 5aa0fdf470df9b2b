/** Times that go on by themselves: one clock for all of the page, once a second, so that rows are not made again for it. */
import { type Described, h } from './dom.ts';
import { clock, span } from './words.ts';

/** How long ago, `12 s`. */
export const since = (at: string): Described => h('time', { key: at, opaque: true, datetime: at, title: clock(at), 'data-since': at }, passed(at));

/** How long still, `in 4 s`. */
export const until = (at: string): Described => h('time', { key: at, opaque: true, datetime: at, title: clock(at), 'data-until': at }, left(at));

const passed = (at: string): string => span(Date.now() - Date.parse(at));

const left = (at: string): string => {
  const ms = Date.parse(at) - Date.now();
  return ms > 0 ? `in ${span(ms + 999)}` : 'now';
};

const tick = (): void => {
  for (const element of document.querySelectorAll<HTMLElement>('[data-since], [data-until]')) {
    const { since: past, until: coming } = element.dataset;
    const text = past !== undefined ? passed(past) : coming !== undefined ? left(coming) : '';
    if (element.textContent !== text) element.textContent = text;
  }
};

export const startClock = (): void => void setInterval(tick, 1000);
