/** A journal in the dashboard, gone through as a person does: opened from a file, then button by button; what the page shows is read each time. */
import type { Page } from 'playwright-core';
import { press } from './browser.ts';
import { until } from './until.ts';

/** What the page says of one moment, in its words. */
export interface Shown {
  readonly seq: number;
  /** xstate's own name. */
  readonly event: string;
  /** Empty at the beginning of a life. */
  readonly from: string;
  readonly to: string;
  readonly ended: boolean;
}

export const openJournalFile = async (page: Page, file: string): Promise<number> => {
  await page.getByLabel('Open a journal').setInputFiles(file);
  await page.getByRole('slider').waitFor();
  const [, last = 0] = /1 of (\d+)/.exec((await page.locator('.stepper').textContent()) ?? '') ?? [];
  return Number(last);
};

const shown = (page: Page): Promise<Shown> =>
  page.evaluate(`(() => {
    const moment = document.querySelector('.moment');
    const [event, , from, to] = [...moment.querySelectorAll('dd')];
    return {
      seq: Number(moment.dataset.moment),
      event: event.querySelector('code').title,
      from: from.textContent.startsWith('nothing') ? '' : from.textContent,
      to: to.textContent,
      ended: moment.textContent.includes('Its life ended'),
    };
  })()`);

/** From where the page is, `count` moments, that one included. `at` is called at each, once it is shown. */
export const walkJournal = async (
  page: Page,
  button: 'One on' | 'One back',
  count: number,
  at: (moment: Shown) => Promise<void> = async () => undefined,
): Promise<readonly Shown[]> => {
  let now = await shown(page);
  await at(now);
  const told = [now];
  for (let step = 1; step < count; step += 1) {
    const before = now.seq;
    await press(page, button);
    now = await until('the next one', async () => {
      const next = await shown(page);
      return next.seq === before ? null : next;
    });
    await at(now);
    told.push(now);
  }
  return told;
};

/** A state as the page words it. */
export const inPageWords = (path: string): string =>
  path
    .replaceAll(/[()]/g, '')
    .replaceAll('.', ' › ')
    .replaceAll(',', ' + ')
    .replaceAll(/([a-z])([A-Z])/g, (_, one: string, other: string) => `${one} ${other.toLowerCase()}`);
