import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { expect, it, onTestFinished } from 'vitest';
import type { LogLine } from '../../src/http/ports.ts';
import { createLogCapper } from '../../src/logs/capper.ts';
import { createEngineLog } from '../../src/logs/engine-log.ts';
import { createLogsPort } from '../../src/logs/read-logs.ts';
import { until } from '../kit/until.ts';

const mebibyte = 1024 * 1024;

it('a flood is bounded on disk and in memory, stops nobody, and loses next to nothing between its cuts', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'engine-flood-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  const failures: unknown[] = [];
  const onFailure = (error: unknown): void => void failures.push(error);
  const log = await createEngineLog({ stateDir })('pool-0', 'abc');
  const capper = createLogCapper({ stateDir, maxBytes: 4 * mebibyte, intervalMs: 20, onFailure });
  onTestFinished(() => capper.close());
  const port = createLogsPort({ stateDir, intervalMs: 20, onFailure });

  const seen = { lines: 0, marks: 0, torn: 0, back: 0, last: null as LogLine | null };
  onTestFinished(
    port.follow('pool-0', null, (line) => {
      seen.lines += 1;
      if (seen.last !== null && line.offset <= seen.last.offset) seen.back += 1;
      if (line.text.startsWith('[pool-managerd:')) seen.marks += 1;
      else if (!/^line \d{8} x{85}$/.test(line.text)) seen.torn += 1;
      seen.last = line;
    }),
  );
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const before = process.memoryUsage().rss;
  const lines = 1_000_000;
  const fd = openSync(log, 'a');
  const engine = program('chatty-engine', [`${lines}`], fd);
  closeSync(fd);
  const exited = once(engine, 'exit');
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  let [cuts, most, head] = [0, 0, ''];
  await until(
    'the engine to end',
    () => {
      const files = readdirSync(dirname(log));
      const kept = files.filter((file) => file.endsWith('.kept')).join();
      if (kept !== head) cuts += 1;
      head = kept;
      most = Math.max(
        most,
        files.reduce((sum, file) => sum + (statSync(join(dirname(log), file), { throwIfNoEntry: false })?.size ?? 0), 0),
      );
      return ended;
    },
    20_000,
  );
  expect(await exited).toEqual([0, null]);
  await capper.sweep();
  await capper.close();
  appendFileSync(log, 'the end\n');
  await until('the last line', () => seen.last?.text === 'the end', 10_000);
  delay.disable();

  expect(failures).toEqual([]);
  expect(cuts).toBeGreaterThan(3);
  expect(seen.back).toBe(0);
  expect(seen.torn).toBeLessThanOrEqual(2 * cuts + 2);
  expect(most).toBeLessThan(80 * mebibyte);
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * mebibyte);
  const left = readdirSync(dirname(log)).reduce((sum, file) => sum + statSync(join(dirname(log), file)).size, 0);
  expect(left).toBeLessThan(5 * mebibyte);
  expect(await port.read('pool-0', { tail: 1, run: 'current' })).toEqual([seen.last]);
  // Of 100 MB: usually nothing, seldom a write or two of 50 kB.
  expect(lines * 100 + 'the end\n'.length - (seen.last?.offset ?? 0)).toBeLessThan(5 * mebibyte);
  expect(delay.percentile(99) / 1e6).toBeLessThan(250);
}, 40_000);

it('a daemon killed at any moment of a cut takes no offset back', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'engine-kill-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  const log = await createEngineLog({ stateDir })('pool-0', 'abc');
  const port = createLogsPort({ stateDir });
  const keptNow = (): string =>
    readdirSync(dirname(log))
      .filter((file) => file.endsWith('.kept'))
      .join();
  const fd = openSync(log, 'a');
  const engine = program('chatty-engine', ['100000000'], fd);
  closeSync(fd);
  let end = 0;
  for (let round = 0; round < 6; round += 1) {
    const before = keptNow();
    const daemon = program('log-capper', [stateDir], 'ignore');
    await until('some cuts', () => keptNow() !== before, 10_000);
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
    const lines = (await port.read('pool-0', { tail: 1_000, run: 'current' })) ?? [];
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.every(({ offset }, index) => offset > (lines[index - 1]?.offset ?? 0))).toBe(true);
    expect(lines.at(-1)?.offset).toBeGreaterThan(end);
    end = lines.at(-1)?.offset ?? 0;
  }
  engine.kill('SIGKILL');
  await once(engine, 'exit');
  const capper = createLogCapper({ stateDir, maxBytes: mebibyte, intervalMs: 60_000 });
  await capper.sweep();
  await capper.close();
  const left = readdirSync(dirname(log));
  expect(left).toHaveLength(2);
  expect(left.reduce((sum, file) => sum + statSync(join(dirname(log), file)).size, 0)).toBeLessThan(mebibyte);
}, 40_000);

const program = (name: string, args: readonly string[], stdout: number | 'ignore'): ChildProcess => {
  const file = join(import.meta.dirname, `../kit/${name}.ts`);
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], { stdio: ['ignore', stdout, 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
};
