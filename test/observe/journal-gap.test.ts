/** A journal on a disk that fills up and is given room again: what is missing is said, and the rest folds. */
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import type { TransitionRecord } from '../../src/http/ports.ts';
import { registrationMachine } from '../../src/machines/registration/machine.ts';
import { replay } from '../../src/machines/replay.ts';
import { type Journal, type JournalOptions, openJournal } from '../../src/observe/journal.ts';
import { contextDigest } from '../../src/observe/journal-lines.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { createInspector } from '../../src/observe/observe.ts';
import { openObservers } from '../../src/observe/observers.ts';
import { parseLine } from '../../src/observe/read-lines.ts';
import { accepted, driveRegistration, settled } from '../kit/registration-driver.ts';
import { runCommand } from '../kit/run-command.ts';
import { mountSmallDisk, type SmallDisk } from '../kit/small-disk.ts';
import { until } from '../kit/until.ts';

let stateDir: string;
let undo: (() => void)[];
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'gap-'));
  undo = [];
});
afterEach(() => {
  for (const one of undo.reverse()) one();
  rmSync(stateDir, { recursive: true });
});

const smallDisk = ({ skip }: Pick<TestContext, 'skip'>, size = '1m'): SmallDisk => {
  const disk = mountSmallDisk(stateDir, size);
  if (disk === null) return skip('root may mount a tmpfs; this user may not, here');
  undo.push(() => disk.unmount());
  return disk;
};

const begin = (own: Partial<JournalOptions> = {}) => {
  const told: (string | number)[] = [];
  const journal = openJournal({
    stateDir,
    nodeId: 'n',
    version: '0',
    bootId: 'b',
    retryMs: 20,
    onFailing: (_error, message) => told.push(message),
    onKept: (missing) => told.push(missing),
    ...own,
  });
  undo.push(() => journal.close());
  return { journal, told };
};

const live = async (journal: Journal) => {
  const driver = driveRegistration(createInspector([journal]).inspect);
  await settled(driver);
  const beat = async (): Promise<void> => {
    driver.send('node.heartbeat');
    await driver.open('heartbeat').answer(accepted());
    driver.pass(100);
  };
  return { driver, beat };
};

const file = (age = 0): string => join(stateDir, 'journal', age === 0 ? 'events.jsonl' : `events.${age}.jsonl`);
const parsed = (): unknown[] => readFileSync(file(), 'utf8').trimEnd().split('\n').map(parseLine);
const fold = (lines: readonly unknown[]) => replay(lines, { machines: { registration: registrationMachine }, digest: contextDigest });
/** Torn lines have none. */
const seqsOf = (lines: readonly unknown[]): number[] => lines.filter((line) => line !== undefined).map((line) => Object(line).seq);

/** The line of the gap. */
const gapIn = (lines: readonly unknown[]): { readonly seq: number } => Object(lines.find((line) => Object(line).gap !== undefined));

/** The pages that its files have already are written to their ends. */
const fillUp = async (disk: SmallDisk, journal: Journal, more: () => unknown): Promise<void> => {
  disk.fill();
  for (let round = 0; round < 500 && journal.trouble() === null; round += 1) await more();
  expect(journal.trouble()).not.toBeNull();
};

/** Events are missing; the journal is written again by the time this resolves. */
const withGap = async (test: Pick<TestContext, 'skip'>, own: Partial<JournalOptions> = {}) => {
  const disk = smallDisk(test);
  const { journal, told } = begin(own);
  const lived = await live(journal);
  await lived.beat();
  await fillUp(disk, journal, lived.beat);
  await lived.beat();
  disk.free();
  await until('the journal to be written again', () => journal.trouble() === null);
  await lived.beat();
  const before = parsed().filter((line) => Object(line).event !== undefined && Object(line).seq < gapIn(parsed()).seq);
  return { ...lived, journal, told, last: Math.max(...seqsOf(before)) };
};

describe('on a full disk the journal', () => {
  it('says so once, and once how much is missing when it is written again, though nothing happens', async (test) => {
    const disk = smallDisk(test);
    const { journal, told } = begin();
    const { beat } = await live(journal);
    expect(journal.trouble()).toBeNull();
    await fillUp(disk, journal, beat);
    await beat();
    const sentence = `ENOSPC: no space left on device, write; history is not being kept; make room on ${join(stateDir, 'journal')}`;
    expect(journal.trouble()).toBe(sentence);
    expect(told).toEqual([sentence]);
    disk.free();
    await until('the end', () => journal.trouble() === null);
    expect(told).toEqual([sentence, expect.any(Number)]);
    expect(told[1]).toBe(Object(parsed().find((line) => Object(line).gap !== undefined)).gap.missing);
  });

  it('begins to write as soon as there is room, with what is missing first and where the actors are', async (test) => {
    const { journal, driver, told, last } = await withGap(test);
    journal.close();
    const lines = parsed().filter((line) => line !== undefined);
    const at = lines.findIndex((line) => Object(line).gap !== undefined);
    expect(lines[at]).toMatchObject({ gap: { after: last, missing: told[1], error: 'ENOSPC: no space left on device, write' } });
    expect(lines[at + 1]).toMatchObject({ actor: 'registration', checkpoint: { status: 'active' } });
    expect(seqsOf(lines)).toEqual([...new Set(seqsOf(lines))].sort((one, other) => one - other));
    const { divergence, passedOver, gaps, reached } = fold(lines);
    expect([divergence, passedOver]).toEqual([null, 0]);
    expect(gaps).toEqual([expect.objectContaining({ after: last, missing: told[1], passedOver: 0 })]);
    expect(reached.get('registration')?.value).toEqual(driver.snapshot().value);
  });

  it('does not end what it tells while it fails now and then', async (test) => {
    const disk = smallDisk(test);
    const { journal, told } = begin({ retryMs: 200 });
    const { beat } = await live(journal);
    for (let round = 0; round < 3; round += 1) {
      await fillUp(disk, journal, beat);
      disk.free();
      await beat();
    }
    expect(told).toHaveLength(1);
    await until('the end', () => told.length === 2);
  });

  it('is opened all the same, and begins once there is room', async (test) => {
    const disk = smallDisk(test);
    begin().journal.close();
    disk.fill();
    for (let full = false; !full; ) {
      const before = begin({ retryMs: 60_000 }).journal;
      full = before.trouble() !== null;
      before.close();
    }
    const { journal, told } = begin();
    expect(journal.trouble()).toContain('ENOSPC');
    disk.free();
    await until('the end', () => journal.trouble() === null);
    expect(told[1]).toBe(0);
    const { driver } = await live(journal);
    journal.close();
    const lines = parsed();
    const first = lines.findIndex((line) => Object(line).event !== undefined);
    expect(lines[first - 1]).toMatchObject({ opened: { continues: false } });
    expect(fold(parsed()).reached.get('registration')?.value).toEqual(driver.snapshot().value);
  });

  const inBothFiles = (): unknown[] => [...readFileSync(file(1), 'utf8').trimEnd().split('\n').map(parseLine), ...parsed()];

  it('begins its next file with less than that should have, and makes up for it', async (test) => {
    const disk = smallDisk(test);
    const { journal } = begin({ maxEventBytes: 20_000 });
    const { driver, beat } = await live(journal);
    // Within the page in which the file comes to its end.
    while (statSync(file()).size < 16_500) await beat();
    await fillUp(disk, journal, beat);
    await until('the next file', async () => {
      await beat();
      return existsSync(file(1));
    });
    await beat();
    disk.free();
    await until('the end', () => journal.trouble() === null);
    await beat();
    journal.close();
    for (const lines of [parsed(), inBothFiles()]) {
      const { divergence, reached, gaps } = fold(lines);
      expect(divergence).toBeNull();
      expect(gaps).toHaveLength(1);
      expect(reached.get('registration')?.value).toEqual(driver.snapshot().value);
    }
  });

  it("that may not make its next file writes into nobody else's", async (test) => {
    // One for the root, the folder and each file: the last one is taken.
    smallDisk(test, '1m,nr_inodes=5');
    const taken = join(stateDir, 'taken');
    writeFileSync(taken, '');
    const { journal } = begin({ maxEventBytes: 8_000 });
    const { driver, beat } = await live(journal);
    for (let round = 0; round < 50 && journal.trouble() === null; round += 1) await beat();
    expect(journal.trouble()).toContain('ENOSPC');
    const elsewhere = mkdtempSync(join(tmpdir(), 'elsewhere-'));
    const others = Array.from({ length: 10 }, (_, index) => openSync(join(elsewhere, String(index)), 'a'));
    undo.push(() => {
      others.forEach(closeSync);
      rmSync(elsewhere, { recursive: true });
    });
    await beat();
    await beat();
    expect(others.map((fd) => fstatSync(fd).size)).toEqual(others.map(() => 0));
    rmSync(taken);
    await until('the end', () => journal.trouble() === null);
    journal.close();
    const { divergence, gaps, reached } = fold(inBothFiles());
    expect([divergence, gaps.length]).toEqual([null, 1]);
    expect(reached.get('registration')?.value).toEqual(driver.snapshot().value);
  });

  it('tells the transitions all the same, and keeps those of the meantime for the next daemon', async (test) => {
    const disk = smallDisk(test);
    const { journal } = begin();
    const followed: TransitionRecord[] = [];
    journal.follow(null, (record) => followed.push(record));
    const change = (poolId: string, from: string, to: string) => createChange(journal)(poolId, from, to);
    await fillUp(disk, journal, () => change('pool-1', 'a', 'b'));
    for (let round = 0; round < 50; round += 1) change('pool-1', 'a', 'b');
    followed.length = 0;
    change('pool-0', 'a', 'b');
    change('pool-0', 'b', 'c');
    change('pool-0', 'c', 'd');
    const during = await journal.poolEvents('pool-0', { limit: 9, before: null });
    expect(during.map(({ to }) => to)).toEqual(['d', 'c', 'b']);
    disk.free();
    await until('the end', () => journal.trouble() === null);
    change('pool-0', 'd', 'e');
    expect(followed.map(({ to }) => to)).toEqual(['b', 'c', 'd', 'e']);
    journal.close();
    const after = await begin().journal.poolEvents('pool-0', { limit: 9, before: null });
    expect(after.map(({ to }) => to)).toEqual(['e', 'd', 'c', 'b']);
  });

  it('gives what is in memory only beside what is on disk only', async (test) => {
    const disk = smallDisk(test, '4m');
    const { journal } = begin();
    const change = createChange(journal);
    change('pool-0', '', 'first');
    for (let index = 0; index < 4_200; index += 1) change('pool-1', `s${index}`, `s${index + 1}`);
    await fillUp(disk, journal, () => change('pool-1', 'a', 'b'));
    for (let round = 0; round < 50; round += 1) change('pool-1', 'a', 'b');
    change('pool-0', 'first', 'second');
    const events = await journal.poolEvents('pool-0', { limit: 9, before: null });
    expect(events.map(({ to }) => to)).toEqual(['second', 'first']);
    const followed: string[] = [];
    journal.follow(0, (record) => record.pool_id === 'pool-0' && followed.push(record.to));
    await until('both', () => followed.length === 2);
    expect(followed).toEqual(['first', 'second']);
    disk.free();
  });

  it('is in the log when it begins and when it ends, once each', async (test) => {
    const disk = smallDisk(test);
    const lines: Record<string, unknown>[] = [];
    const logger = createLogger({ level: 'info', nodeId: 'n', destination: { write: (text) => void lines.push(JSON.parse(text)) } });
    const views = { pools: () => [], gpus: () => [], node: () => Object(null) };
    const observers = openObservers({ stateDir, nodeId: 'n', version: '0', bootId: 'b', views, logger, inspectUrl: null, others: [] });
    undo.push(() => observers.close());
    const driver = driveRegistration(observers.inspect);
    await settled(driver);
    await fillUp(disk, observers.journal, async () => {
      driver.send('node.heartbeat');
      await driver.open('heartbeat').answer(accepted());
      driver.pass(100);
    });
    disk.free();
    await until('the end', () => observers.journal.trouble() === null, 10_000);
    const told = lines.filter(({ msg }) => /journal|observer/.test(String(msg)));
    expect(told).toEqual([
      expect.objectContaining({
        level: 'error',
        observer: 'journal',
        msg: expect.stringMatching(/^the journal cannot be written: ENOSPC.*; make room on /),
      }),
      expect.objectContaining({
        level: 'info',
        missing: expect.any(Number),
        msg: expect.stringMatching(/^the journal is written again; \d+ events? (is|are) missing/),
      }),
    ]);
  });
});

describe('a journal with a gap', () => {
  it('is replayed: the gap is told in its place, and what is there folds', async (test) => {
    const { journal, last, told } = await withGap(test);
    journal.close();
    const { exitCode, stdout, stderr } = await runCommand(['replay', file()]);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      new RegExp(
        `^\\d+  \\S+Z  ${told[1]} events? (?:is|are) missing behind seq ${last} \\(the journal could not be written: ENOSPC.*\\): what follows goes on`,
        'm',
      ),
    );
    expect(stdout).toMatch(new RegExp(`\\n\\d+ events replayed, .*; ${told[1]} missing, as the journal could not be written\\n$`));
  });

  it('without the states behind it is folded from the next beginning on, and what lies between is counted', async (test) => {
    const { journal, last } = await withGap(test);
    journal.close();
    await live(begin().journal);
    const lines = readFileSync(file(), 'utf8').trimEnd().split('\n');
    writeFileSync(file(), `${lines.filter((line) => !line.includes('"checkpoint"')).join('\n')}\n`);
    const { exitCode, stdout } = await runCommand(['replay', file()]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`missing behind seq ${last} .*: [1-9]\\d* of what follows cannot be folded`));
    const { reached, passedOver, gaps } = fold(parsed());
    expect(gaps[0]?.passedOver).toBe(passedOver);
    expect(reached.has('registration')).toBe(true);
  });

  it('is explained: a number in it is said to be missing', async (test) => {
    const { journal, last } = await withGap(test);
    journal.close();
    expect(await runCommand(['explain', file(), String(last + 1)])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/found none; \d+ events? (?:is|are) missing behind seq \d+ \(the journal could not be written/),
    });
    const resumed = fold(parsed()).gaps[0]?.seq ?? 0;
    const next = seqsOf(parsed().filter((line) => Object(line).event !== undefined)).find((seq) => seq > resumed);
    expect(await runCommand(['explain', file(), String(next)])).toMatchObject({ exitCode: 0, stderr: '' });
  });
});

describe('lines that are missing without a word', () => {
  it('are named where record and charts part behind them, instead of another version', async () => {
    const { journal } = begin();
    const { beat } = await live(journal);
    await beat();
    journal.close();
    const lines = readFileSync(file(), 'utf8').trimEnd().split('\n');
    const at = lines.findIndex((line) => line.includes('"state":"registered.beating"'));
    writeFileSync(file(), `${lines.toSpliced(at, 1).join('\n')}\n`);
    const { exitCode, stderr } = await runCommand(['replay', file()]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`1 event is missing behind seq ${at}, by which it may have come to this`);
    expect(stderr).not.toContain('another version');
  });
});

const createChange =
  (journal: Journal) =>
  (poolId: string, from: string, to: string): void => {
    const state = (value: string) => ({ value, context: { poolId }, status: 'active' });
    try {
      journal.observe({
        at: 1_700_000_000_000,
        mono: 1,
        actorId: `${poolId}#1`,
        machine: 'pool',
        poolId,
        incarnation: null,
        source: null,
        event: { type: 'pool.start' },
        from,
        to,
        changed: true,
        sample: false,
        snapshot: state(to),
        before: state(from),
        failed: false,
      });
    } catch {
      // What the inspector counts.
    }
  };
