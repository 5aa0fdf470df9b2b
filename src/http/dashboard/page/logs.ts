/** What the engine of a pool writes: its last lines, then each as it comes; or those of the run before. Bounded. */
import { get, poolPath } from './api.ts';
import { follow } from './stream.ts';
import { messageOf } from './words.ts';

const tail = 300;
const mostLines = 3_000;

interface Line {
  readonly offset: number;
  readonly text: string;
}

/** The whole section as elements of its own: lines come by the hundred and are appended, not described anew. */
export interface LogPane {
  readonly element: HTMLElement;
  close(): void;
}

export const openLogs = (id: string): LogPane => {
  const element = document.createElement('div');
  const controls = document.createElement('div');
  controls.className = 'row';
  const current = button('This run', () => showCurrent());
  const previous = button('The run before', () => void showPrevious());
  const status = document.createElement('span');
  status.className = 'quiet';
  status.setAttribute('role', 'status');
  const lines = document.createElement('pre');
  lines.className = 'log';
  lines.tabIndex = 0;
  lines.setAttribute('role', 'region');
  lines.setAttribute('aria-label', `What the engine of ${id} writes`);
  controls.append(current, previous, status);
  element.append(controls, lines);
  let stop = (): void => undefined;

  const isAtEnd = (): boolean => lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
  const begin = (pressed: HTMLElement): void => {
    stop();
    lines.replaceChildren();
    for (const one of [current, previous]) one.setAttribute('aria-pressed', String(one === pressed));
  };
  const append = (texts: readonly string[]): void => {
    const follows = isAtEnd();
    for (const text of texts) {
      const line = document.createElement('span');
      line.textContent = `${text}\n`;
      lines.append(line);
    }
    while (lines.childElementCount > mostLines) lines.firstElementChild?.remove();
    if (follows) lines.scrollTop = lines.scrollHeight;
  };

  const showCurrent = (): void => {
    begin(current);
    let waiting: string[] = [];
    status.textContent = 'following';
    stop = follow(
      poolPath(id, `/logs?follow=true&tail=${tail}`),
      ({ event, data }) => {
        if (event !== 'line') return;
        if (waiting.length === 0) requestAnimationFrame(() => append(waiting.splice(0)));
        waiting.push((data as Line).text);
        if (waiting.length > mostLines) waiting = waiting.slice(-mostLines);
      },
      {
        onOpen: (open) => {
          status.textContent = open ? 'following' : 'the daemon does not answer; following again once it does';
        },
        onRefused: ({ message }) => {
          status.textContent = message;
        },
      },
    );
  };

  const showPrevious = async (): Promise<void> => {
    begin(previous);
    status.textContent = '';
    try {
      append((await get<{ lines: readonly Line[] }>(poolPath(id, `/logs?run=previous&tail=${mostLines}`))).lines.map(({ text }) => text));
      lines.scrollTop = lines.scrollHeight;
    } catch (thrown) {
      status.textContent = messageOf(thrown);
    }
  };

  showCurrent();
  return { element, close: () => stop() };
};

const button = (text: string, act: () => void): HTMLButtonElement => {
  const made = document.createElement('button');
  made.className = 'small';
  made.textContent = text;
  made.addEventListener('click', act);
  return made;
};
