/** The tour once more, from its journal: gone through in the dashboard, chart by chart, and told by `replay` in the same words. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { leavesOf, statesIn } from '../../../src/http/dashboard/page/state-path.ts';
import { parseLine } from '../../../src/observe/read-lines.ts';
import { chromiumPath, openBrowser, openPage, takePicture, waitMs } from '../../kit/browser.ts';
import { daemonHouse } from '../../kit/daemon.ts';
import { startDemo } from '../../kit/demo-process.ts';
import { inPageWords, openJournalFile, type Shown, walkJournal } from '../../kit/journal-page.ts';
import { runCommand } from '../../kit/run-command.ts';
import { until } from '../../kit/until.ts';

/** `seq  at  actor  from -> to  event`, as `replay` prints it. */
const toldLine = /^(\d+) {2}\S+ {2}(\S+) {2}(\S+) -> (\S+) {2}(\S+)$/;

it.skipIf(chromiumPath === null)('the journal of the tour replays step by step in the dashboard, and replay prints the same story', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'tour-journal-'));
  t.onTestFinished(() => rm(dir, { recursive: true }));
  const journal = join(dir, 'tour.jsonl');
  const demo = startDemo('--tour', '--journal', journal);
  expect([await demo.exited, demo.stderr()]).toEqual([0, '']);
  expect(demo.stdout()).toContain(`nothing of the demo is left but its journal, ${journal}`);

  const { exitCode, stdout } = await runCommand(['replay', journal]);
  expect(exitCode).toBe(0);
  const story = stdout.split('\n').flatMap((line) => {
    const [, seq, , from = '', to = '', event] = toldLine.exec(line) ?? [];
    return seq === undefined ? [] : [{ seq: Number(seq), event, from: from === '-' ? '' : inPageWords(from), to: inPageWords(to) }];
  });
  const states = story.map(({ to }) => to);
  for (const state of ['uninitialized › idle', 'starting › proving', 'ready › healthy', 'draining › emptying', 'offline › stopped'])
    expect(states).toContainEqual(expect.stringContaining(state));

  const lit = new Map<number, string>();
  for (const line of (await readFile(journal, 'utf8')).split('\n').map(parseLine)) {
    const { seq, machine, state } = (line ?? {}) as { readonly seq?: number; readonly machine?: string; readonly state?: string };
    if (seq !== undefined && state !== undefined)
      lit.set(seq, `Statechart of ${machine}; active: ${leavesOf(statesIn(`${machine}.${state}`)).join(', ')}`);
  }

  const house = await daemonHouse(t);
  await house.declare([house.stub('other', { preload: false })]);
  const daemon = await house.start();
  const browser = await openBrowser();
  t.onTestFinished(() => browser.close());
  const { page, complaints, asked } = await openPage(browser, `${daemon.url}/statecharts`);
  page.setDefaultTimeout(waitMs);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const count = await openJournalFile(page, journal);
  expect(count).toBe(lit.size);
  const isLit = async ({ seq, ended }: Shown): Promise<void> => {
    if (ended) return;
    const drawing = page.locator('.chart svg');
    await until(`what number ${seq} led to being lit`, async () => (await drawing.getAttribute('aria-label')) === lit.get(seq), waitMs);
  };
  const seen = await walkJournal(page, 'One on', count, isLit);
  expect(seen.filter(({ from, to, ended }) => from !== to || ended).map(({ ended: _, ...moment }) => moment)).toEqual(story);
  expect(await page.getByRole('button', { name: 'One on' }).isDisabled()).toBe(true);
  await takePicture(page, 'statecharts-tour');
  expect(complaints).toEqual([]);
  expect(asked.filter((url) => !url.startsWith(`${daemon.url}/`))).toEqual([]);
});
