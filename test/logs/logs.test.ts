import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { LogLine } from '../../src/http/ports.ts';
import { createLogCapper } from '../../src/logs/capper.ts';
import { createEngineLog, removeEngineLogs } from '../../src/logs/engine-log.ts';
import { createLogsPort } from '../../src/logs/read-logs.ts';
import { lastLines } from '../../src/logs/tail.ts';
import { until } from '../kit/until.ts';

const mayMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0;

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'engine-logs-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const begin = (incarnation: string, now = 1_000): Promise<string> => createEngineLog({ stateDir, now: () => now })('pool-0', incarnation);
const filesOf = (pool: string): string[] => readdirSync(join(stateDir, 'logs', pool)).sort();
const numbered = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, index) => `line ${from + index}`.padEnd(63, '.'));
const say = (log: string, lines: readonly string[]): void => appendFileSync(log, lines.map((line) => `${line}\n`).join(''));
const textsOf = (lines: readonly LogLine[] | null): string[] | null => lines?.map(({ text }) => text) ?? null;

const port = () => createLogsPort({ stateDir, intervalMs: 20, onFailure: fail });
const fail = (error: unknown): never => {
  throw error;
};
const capper = (maxBytes: number) => {
  const made = createLogCapper({ stateDir, maxBytes, intervalMs: 60_000, now: () => 0, onFailure: fail });
  onTestFinished(() => made.close());
  return made;
};
const follow = (after: number | null, logs = port()) => {
  const told: LogLine[] = [];
  const stop = logs.follow('pool-0', after, (line) => told.push(line));
  onTestFinished(stop);
  return { told, stop };
};
const grows = (lines: readonly LogLine[]): boolean => lines.every(({ offset }, index) => offset > (lines[index - 1]?.offset ?? -1));

describe('the log of a run', () => {
  it('is there before the engine, for its writer and its group only', async () => {
    const log = await begin('abc');
    expect(log).toBe(join(stateDir, 'logs/pool-0/1000-abc.log'));
    expect(statSync(log).mode & 0o777).toBe(0o640);
    expect(statSync(join(stateDir, 'logs/pool-0')).mode & 0o777).toBe(0o750);
  });

  it('stays while it is the current or one of the two before', async () => {
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) say(await begin(name, 1_000 + index), [name]);
    expect(filesOf('pool-0').filter((file) => file.endsWith('.log'))).toEqual(['1001-b.log', '1002-c.log', '1003-d.log']);
    expect(filesOf('pool-0')).toHaveLength(6);
    expect(textsOf(await port().read('pool-0', { tail: 9, run: 'current' }))).toEqual(['d']);
    expect(textsOf(await port().read('pool-0', { tail: 9, run: 'previous' }))).toEqual(['c']);
  });

  it('of either berth is one of the pool, and none removes the log of the other', async () => {
    const beside = (incarnation: string, now: number) => createEngineLog({ stateDir, now: () => now })('pool-0--b', incarnation);
    say(await begin('serves', 1_000), ['one']);
    const { told } = follow(-1);
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) say(await beside(name, 1_001 + index), [name]);
    expect(filesOf('pool-0').filter((file) => file.endsWith('.log'))).toEqual(['1000-serves.log']);
    expect(filesOf('pool-0--b').filter((file) => file.endsWith('.log'))).toHaveLength(3);
    expect(textsOf(await port().read('pool-0', { tail: 9, run: 'current' }))).toEqual(['d']);
    say(await begin('next', 2_000), ['two']);
    expect(textsOf(await port().read('pool-0', { tail: 9, run: 'previous' }))).toEqual(['d']);
    await until('the last one to be told', () => told.at(-1)?.text === 'two');
    expect(grows(told)).toBe(true);
  });

  it('comes after the ones before it also when the clock went back', async () => {
    say(await begin('early', 5_000), ['early']);
    expect(basename(await begin('late', 1_000))).toBe('5001-late.log');
    expect(textsOf(await port().read('pool-0', { tail: 9, run: 'previous' }))).toEqual(['early']);
  });

  it('clears away a run that was made half, and leaves what is not its own', async () => {
    await begin('a');
    writeFileSync(join(stateDir, 'logs/pool-0/999-half.0.kept'), '');
    writeFileSync(join(stateDir, 'logs/pool-0/notes'), '');
    await begin('b', 2_000);
    expect(filesOf('pool-0')).not.toContain('999-half.0.kept');
    expect(filesOf('pool-0')).toContain('notes');
  });

  it('is made for pool ids and incarnations only', async () => {
    const create = createEngineLog({ stateDir });
    for (const id of ['..', '../x', 'a/b', '', 'A', 'a\n']) {
      await expect(create(id, 'abc')).rejects.toThrow('expected a pool id');
      await expect(async () => port().follow(id, null, fail)).rejects.toThrow('expected a pool id');
      await expect(async () => port().read(id, { tail: 1, run: 'current' })).rejects.toThrow('expected a pool id');
    }
    await expect(create('pool-0', '../x')).rejects.toThrow('expected an incarnation');
  });

  it('says which directory cannot be written', async () => {
    writeFileSync(join(stateDir, 'logs'), 'a file');
    await expect(begin('a')).rejects.toMatchObject({ reason: { code: 'state_store_failed', message: expect.stringContaining('logs/pool-0') } });
  });

  it('goes with its pool', async () => {
    say(await begin('a'), ['a']);
    await removeEngineLogs({ stateDir })('pool-0');
    await removeEngineLogs({ stateDir })('pool-0');
    expect(readdirSync(join(stateDir, 'logs'))).toEqual([]);
    expect(await port().read('pool-0', { tail: 9, run: 'current' })).toBeNull();
  });
});

describe('the end of a run', () => {
  it('is null where there is no run, and empty where nothing was written', async () => {
    expect(await port().read('pool-0', { tail: 9, run: 'current' })).toBeNull();
    await begin('a');
    expect(await port().read('pool-0', { tail: 9, run: 'current' })).toEqual([]);
    expect(await port().read('pool-0', { tail: 9, run: 'previous' })).toBeNull();
  });

  it('has the lines asked for, over any number of blocks, and a line without an end only once the run is over', async () => {
    const log = await begin('a');
    const lines = numbered(0, 5_000);
    say(log, lines);
    appendFileSync(log, 'last words');
    for (const tail of [0, 1, 2, 1023, 1024, 1025, 4_999, 5_000, 9_000]) {
      expect(textsOf(await port().read('pool-0', { tail, run: 'current' }))).toEqual(lines.slice(Math.max(0, lines.length - tail)));
    }
    await begin('b', 2_000);
    expect(textsOf(await port().read('pool-0', { tail: 2, run: 'previous' }))).toEqual([lines.at(-1), 'last words']);
  });

  it('costs neither time nor memory for what lies before it', async () => {
    const log = await begin('a');
    truncateSync(log, 8 * 1024 ** 3);
    say(log, ['', 'here']);
    const before = process.memoryUsage().rss;
    const began = performance.now();
    expect(textsOf(await port().read('pool-0', { tail: 1, run: 'current' }))).toEqual(['here']);
    await port().read('pool-0', { tail: 10_000, run: 'current' });
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 ** 2);
  });

  it('may hold a line of many megabytes', async () => {
    const log = await begin('a');
    say(log, ['before', 'y'.repeat(3_000_000), 'after']);
    const lines = await port().read('pool-0', { tail: 9, run: 'current' });
    expect(lines?.map(({ text }) => text.length)).toEqual([6, 8192, 5]);
    const { told } = follow(lines?.[1]?.offset ?? 0);
    await until('what comes after', () => told.length > 0);
    expect(told).toEqual(lines?.slice(2));
  });

  it('is told to whoever classifies an exit, last words included, 64 KiB at most, from any file', async () => {
    const log = join(stateDir, 'some.log');
    expect(await lastLines(log, 5)).toEqual([]);
    writeFileSync(log, '');
    expect(await lastLines(log, 5)).toEqual([]);
    say(log, numbered(0, 2_000));
    appendFileSync(log, 'Bearer abc\0');
    expect(await lastLines(log, 2)).toEqual(['line 1999'.padEnd(63, '.'), 'Bearer [redacted]']);
    expect((await lastLines(log, 5_000)).length).toBeLessThan(1_025);
  });
});

describe('a cut', () => {
  it('keeps the end, says what went, and leaves short logs alone', async () => {
    const log = await begin('a');
    const lines = numbered(0, 2_000);
    say(log, lines.slice(0, 500));
    await capper(64_000).sweep();
    expect(statSync(log).size).toBe(32_000);
    say(log, lines.slice(500, 1_999));
    await capper(64_000).sweep();
    expect(statSync(log).size).toBe(0);
    say(log, lines.slice(1_999));
    const read = await port().read('pool-0', { tail: 5_000, run: 'current' });
    expect(textsOf(read)).toEqual([
      expect.stringMatching(/^\[pool-managerd: +111936 bytes of output were cut off here at 1970/),
      ...lines.slice(1_749),
    ]);
    expect(grows(read ?? [])).toBe(true);
    expect(filesOf('pool-0')).toEqual(['1000-a.127936.kept', '1000-a.log']);
  });

  it('changes no offset: who was told a line goes on after it', async () => {
    const log = await begin('a');
    const lines = numbered(0, 1_500);
    say(log, lines.slice(0, 1_000));
    const before = (await port().read('pool-0', { tail: 5_000, run: 'current' })) ?? [];
    await capper(40_000).sweep();
    say(log, lines.slice(1_000));
    for (const index of [999, 998, 900]) {
      const { told, stop } = follow(before[index]?.offset ?? 0);
      await until('the rest', () => told.length >= 1_500 - index - 1);
      expect(textsOf(told)).toEqual(lines.slice(index + 1));
      stop();
    }
    const { told } = follow(before[10]?.offset ?? 0);
    await until('the rest', () => told.at(-1)?.text === lines.at(-1));
    expect(told[0]?.text).toContain('bytes of output were cut off here');
    expect(told[1]).toEqual(before.find(({ text }) => text === told[1]?.text));
    expect(told[0]?.offset).toBeGreaterThan(before[10]?.offset ?? 0);
    expect(grows(told)).toBe(true);
  });

  it('may come again and again', async () => {
    const log = await begin('a');
    const { told } = follow(null);
    const lines = numbered(0, 5_000);
    for (let from = 0; from < lines.length; from += 500) {
      say(log, lines.slice(from, from + 500));
      await until('all of it', () => told.at(-1)?.text === lines[from + 499]);
      await capper(32_000).sweep();
    }
    expect(textsOf(told)).toEqual(lines);
    expect(told.at(-1)?.offset).toBe(5_000 * 64);
    const last = await until('both to agree', () => port().read('pool-0', { tail: 1, run: 'current' }));
    expect(last).toEqual(told.slice(-1));
  });

  it('interrupted before the log was emptied repeats lines rather than going back', async () => {
    const log = await begin('a');
    say(log, numbered(0, 1_000));
    const [last] = (await port().read('pool-0', { tail: 1, run: 'current' })) ?? [];
    const dir = join(stateDir, 'logs/pool-0');
    writeFileSync(join(dir, '1000-a.64000.kept'), `${'kept'.padEnd(63, '.')}\n`);
    const { told } = follow(last?.offset ?? 0);
    await until('them again', () => told.length >= 1_000);
    expect(grows(told)).toBe(true);
    await capper(40_000).sweep();
    expect(filesOf('pool-0')).toEqual(['1000-a.128000.kept', '1000-a.log']);
    expect(statSync(log).size).toBe(0);
  });

  it.skipIf(!mayMount)('frees a disk that is full, and says that nothing was kept', async () => {
    const small = mkdtempSync(join(stateDir, 'small-'));
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../kit/full-disk.ts'), small].join(' ');
    const told = execFileSync('unshare', ['-rm', 'sh', '-c', `mount -t tmpfs -o size=2m none ${small} && exec ${node}`], { encoding: 'utf8' });
    const { full, size, lines } = JSON.parse(told);
    expect(full).toBe('ENOSPC');
    expect(size).toBe(6);
    expect(lines).toEqual([expect.stringMatching(/^\[pool-managerd: +\d{7} bytes of output were cut off/), 'after']);
  });

  it.each([
    ['at the next look, when told that it began', { intervalMs: 500, told: true }],
    ['within a few looks, when told nothing', { intervalMs: 5, told: false }],
  ])('is found %s', async (_when, { intervalMs, told }) => {
    const first = await begin('a');
    const made = createLogCapper({ stateDir, maxBytes: 40_000, intervalMs, onFailure: fail });
    onTestFinished(() => made.close());
    say(first, numbered(0, 1_000));
    await until('the first look', () => statSync(first).size < 64_000);
    const second = await createEngineLog({ stateDir })('another', 'b');
    if (told) made.runBegan();
    say(second, numbered(0, 1_000));
    // Ten looks of half a second would be too late.
    await until('the cut', () => statSync(second).size < 64_000, 3_000);
  });

  it('reports a log that it cannot cut, and cuts the others', async () => {
    const [bad, good] = [await createEngineLog({ stateDir })('bad', 'x'), await createEngineLog({ stateDir })('good', 'x')];
    for (const log of [bad, good]) say(log, numbered(0, 1_000));
    // Stands where the kept part is to be written.
    mkdirSync(bad.replace(/log$/, 'unfinished'));
    const failures: unknown[] = [];
    const made = createLogCapper({ stateDir, maxBytes: 40_000, intervalMs: 60_000, onFailure: (error) => failures.push(error) });
    onTestFinished(() => made.close());
    await made.sweep();
    await made.sweep();
    expect(failures).toHaveLength(1);
    expect(statSync(good).size).toBe(0);
    expect(statSync(bad).size).toBe(64_000);
  });
});

describe('following a pool', () => {
  it('begins before there is any run, and goes from one to the next', async () => {
    const { told } = follow(null);
    const first = await begin('a');
    say(first, ['one']);
    await until('the first line', () => told.length === 1);
    appendFileSync(first, 'last words');
    const second = await begin('b', 2_000);
    await until('the last words', () => told.length === 2);
    say(second, ['two']);
    await until('the second run', () => told.length === 3);
    say(await begin('c', 3_000), ['three']);
    await until('the third run', () => told.length === 4);
    expect(textsOf(told)).toEqual(['one', 'last words', 'two', 'three']);
    expect(grows(told) && told.every(({ offset }) => Number.isSafeInteger(offset))).toBe(true);
    for (const [index, { offset }] of told.entries()) {
      const again = follow(offset);
      await until('what comes after', () => again.told.length === told.length - index - 1);
      expect(again.told).toEqual(told.slice(index + 1));
    }
  });

  it('from now means the line that is being written and those after it', async () => {
    const log = await begin('a');
    say(log, ['past']);
    appendFileSync(log, 'half ');
    const { told } = follow(null);
    appendFileSync(log, 'a line\nand another\nnot yet');
    await until('both', () => told.length === 2);
    expect(textsOf(told)).toEqual(['half a line', 'and another']);
  });

  it('goes on with the oldest run that is there after one that was removed', async () => {
    const first = await begin('a');
    say(first, ['a1', 'a2']);
    const [line] = (await port().read('pool-0', { tail: 2, run: 'current' })) ?? [];
    for (const [index, name] of ['b', 'c', 'd'].entries()) say(await begin(name, 2_000 + index), [name]);
    const { told } = follow(line?.offset ?? 0);
    await until('the rest', () => told.length === 3);
    expect(textsOf(told)).toEqual(['b', 'c', 'd']);
  });

  it('tells the whole current run to whoever comes from an earlier life of the pool', async () => {
    say(await begin('a'), numbered(0, 100));
    const [last] = (await port().read('pool-0', { tail: 1, run: 'current' })) ?? [];
    await removeEngineLogs({ stateDir })('pool-0');
    say(await begin('b', 2_000), ['new']);
    const { told } = follow(last?.offset ?? 0);
    await until('the new life', () => told.length === 1);
    expect(textsOf(told)).toEqual(['new']);
  });

  it('never lets a run that still writes tell into the offsets of the next', async () => {
    const first = await begin('a');
    say(first, ['one']);
    const second = await begin('b', 2_000);
    say(second, ['two']);
    truncateSync(first, 2 ** 32 + 100);
    say(first, ['late']);
    const [line] = (await port().read('pool-0', { tail: 1, run: 'current' })) ?? [];
    const { told } = follow(2 ** 32 - 100);
    await until('the second run', () => told.some(({ text }) => text === 'two'));
    expect(grows(told)).toBe(true);
    expect(told.at(-1)).toEqual(line);
  });

  it('ends when told so, also by the listener itself, and one that throws is cut off', async () => {
    const failures: unknown[] = [];
    const logs = createLogsPort({ stateDir, intervalMs: 20, onFailure: (error) => failures.push(error) });
    const log = await begin('a');
    const heard = { one: 0, two: 0 };
    const stop = logs.follow('pool-0', null, () => {
      heard.one += 1;
      stop();
    });
    onTestFinished(
      logs.follow('pool-0', null, () => {
        heard.two += 1;
        throw new Error('no more');
      }),
    );
    const { told } = follow(null, logs);
    say(log, ['one', 'two', 'three']);
    await until('all', () => told.length === 3 && failures.length === 1);
    say(log, ['four']);
    await until('the fourth', () => told.length === 4);
    expect(heard).toEqual({ one: 1, two: 1 });
    expect(String(failures[0])).toContain('no more');
    stop();
  });

  it('watches once for all, and not at all for nobody', async () => {
    await begin('a');
    const logs = createLogsPort({ stateDir });
    const before = watches();
    const stops = Array.from({ length: 20 }, () => logs.follow('pool-0', null, () => undefined));
    expect(watches() - before).toBe(1);
    for (const stop of stops) stop();
    await until('no watch', () => watches() === before);
  });

  it('is woken by the file system long before its timer', async () => {
    const log = await begin('a');
    const logs = createLogsPort({ stateDir, intervalMs: 60_000 });
    const { told } = follow(null, logs);
    say(log, ['one']);
    await until('the line', () => told.length === 1, 2_000);
  });
});

/** inotify watches of this process. */
const watches = (): number =>
  readdirSync('/proc/self/fdinfo')
    .map((fd) => {
      try {
        return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').split('inotify wd:').length - 1;
      } catch {
        // The descriptor that listed them.
        return 0;
      }
    })
    .reduce((sum, count) => sum + count, 0);
