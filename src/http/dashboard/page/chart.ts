/**
 * A statechart as it is drawn in `statecharts/`, with lights: active states, and the lines that were taken last.
 *
 * The drawing names its states in titles, and its lines by who leaves and the goal. Knows nothing of where the news come from.
 */
import { request } from './api.ts';
import { leavesOf, statesIn } from './state-path.ts';
import { eventInWords } from './words.ts';

export interface DrawnChart {
  readonly element: SVGSVGElement;
  /** `path`: `pool.ready.healthy`; parallel states are joined by commas, `node.lifecycle.serving,gpus.known`. */
  light(path: string): void;
  /** Marks these lines as the last that were taken, and no others. */
  mark(keys: readonly string[]): void;
  /** Lines that lead from one of the states `from` into one of the states `to` on this event, for journals, which know no more. */
  between(from: string, to: string, event: string): readonly string[];
  /** Brings what is active into view of the element that scrolls. */
  show(scroller: Element): void;
}

const drawings = new Map<string, Promise<string>>();

export const chartOf = async (machine: string): Promise<DrawnChart> => {
  const text = drawings.get(machine) ?? request(`/assets/${encodeURIComponent(machine)}.svg`).then((response) => response.text());
  drawings.set(machine, text);
  try {
    return draw(machine, await text);
  } catch (thrown) {
    drawings.delete(machine);
    throw thrown;
  }
};

const draw = (machine: string, text: string): DrawnChart => {
  const drawn = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
  if (!(drawn instanceof SVGSVGElement)) throw new Error(`the drawing of ${machine} is no picture`);
  const element = document.importNode(drawn, true);
  element.setAttribute('role', 'img');
  element.removeAttribute('width');
  element.removeAttribute('height');
  const states = new Map<string, Element>();
  const lines = new Map<string, Element>();
  for (const group of element.querySelectorAll('g.node, g.cluster')) states.set(titleOf(group).replace(/^cluster_/, ''), group);
  for (const group of element.querySelectorAll('g.edge')) if (group.id.includes(':')) lines.set(group.id, group);
  // Titles would be shown as tooltips, in words of the drawing.
  for (const title of element.querySelectorAll('title')) title.remove();
  let active: readonly string[] = [];

  return {
    element,
    light: (path) => {
      const next = statesIn(path);
      if (next.join() === active.join()) return;
      active = next;
      for (const [id, group] of states) group.classList.toggle('active', active.includes(id));
      element.setAttribute('aria-label', `Statechart of ${machine}; active: ${leavesOf(active).join(', ') || 'nothing'}`);
    },
    mark: (keys) => {
      for (const [key, group] of lines) group.classList.toggle('last', keys.includes(key));
    },
    between: (from, to, event) => {
      const [left, entered] = [statesIn(from), statesIn(to)];
      const word = eventInWords(event);
      return [...lines.keys()].filter((key) => {
        const [source = '', target = ''] = key.split(':');
        return left.includes(source) && entered.includes(target) && (lines.get(key)?.textContent ?? '').includes(word);
      });
    },
    show: (scroller) => {
      const leaf = leavesOf(active)
        .map((id) => states.get(id))
        .find((group) => group !== undefined);
      if (leaf === undefined) return;
      const [inner, outer] = [leaf.getBoundingClientRect(), scroller.getBoundingClientRect()];
      scroller.scrollBy({
        left: inner.left + inner.width / 2 - outer.left - outer.width / 2,
        top: inner.top + inner.height / 2 - outer.top - outer.height / 2,
        behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth',
      });
    },
  };
};

const titleOf = (group: Element): string => group.querySelector(':scope > title')?.textContent ?? '';
