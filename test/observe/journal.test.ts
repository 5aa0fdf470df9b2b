import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TransitionRecord } from '../../src/http/ports.ts';
import { type Journal, type JournalOptions, openJournal } from '../../src/observe/journal.ts';
import type { MachineState, Observation } from '../../src/observe/observe.ts';
import { createInspector } from '../../src/observe/observe.ts';
import { startSmallSystem } from '../kit/small-system.ts';
import { until } from '../kit/until.ts';

let stateDir: string;
let open: Journal[];
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'journal-'));
  open = [];
});
afterEach(() => {
  for (const journal of open) journal.close();
  rmSync(stateDir, { recursive: true });
});

const begin = (own: Partial<JournalOptions> = {}): Journal => {
  const journal = openJournal({ stateDir, nodeId: 'gpu-node-1', version: '0.1.0', bootId: 'boot-1', ...own });
  open.push(journal);
  return journal;
};
const end = (journal: Journal): void => {
  journal.close();
  open = open.filter((other) => other !== journal);
};
const file = (name: string): string => join(stateDir, 'journal', name);
const linesOf = (name: string): Record<string, unknown>[] =>
  readFileSync(file(name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

const state = (value: string, context: object = {}): MachineState => ({ value, context: { poolId: 'pool-0', ...context }, status: 'active' });
/** A change of one pool's state, made by hand: for what needs many or particular ones. */
const change = (poolId: string, from: string, to: string, own: Partial<Observation> = {}): Observation => ({
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
  changed: from !== to,
  sample: false,
  snapshot: state(to),
  before: state(from),
  failed: false,
  ...own,
});

const liveSystem = async (journal: Journal) => {
  const system = startSmallSystem(createInspector([journal]).inspect);
  const pool = system.add('pool-0', { HF_TOKEN: 'hf_secret', LANG: 'C' });
  pool.send({ type: 'pool.start' });
  pool.send({ type: 'pool.start' });
  await until('ready', async () => (await journal.poolEvents('pool-0', { limit: 9, before: null })).some(({ to }) => to === 'ready.healthy'));
  return { system, pool };
};

describe('the journal', () => {
  it('has every event of every machine, with what a fold needs', async () => {
    const journal = begin();
    await liveSystem(journal);
    const lines = linesOf('events.jsonl');
    expect(lines[0]).toMatchObject({ opened: { journal: 1, version: '0.1.0', node_id: 'gpu-node-1', boot_id: 'boot-1', continues: false } });
    expect(lines.find(({ actor, state }) => actor === 'pool-0#1' && state === 'uninitialized.idle')).toMatchObject({
      machine: 'pool',
      pool_id: 'pool-0',
      source: 'node',
      status: 'active',
      event: { type: 'xstate.init', input: { poolId: 'pool-0' } },
    });
    expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => index + 1));
  });

  it('gives a pool its transitions, newest first, and earlier ones by their number', async () => {
    const journal = begin();
    const { pool } = await liveSystem(journal);
    pool.send({ type: 'engine.exited' });
    const all = await journal.poolEvents('pool-0', { limit: 50, before: null });
    expect(all.map(({ from, to }) => `${from} ${to}`)).toEqual([
      'ready.healthy offline.backingOff',
      'starting.spawning ready.healthy',
      'provisioning.engine starting.spawning',
      'uninitialized.idle provisioning.engine',
      ' uninitialized.idle',
    ]);
    expect(all[0]).toMatchObject({
      event: 'engine.exited',
      reason: { code: 'engine_exited', message: 'the engine ended with code 1' },
      incarnation: 'inc-1',
    });
    const [first, second] = all;
    expect(await journal.poolEvents('pool-0', { limit: 1, before: first?.seq ?? 0 })).toEqual([second]);
    expect(await journal.poolEvents('pool-1', { limit: 5, before: null })).toEqual([]);
    expect(await journal.poolEvents('pool-0', { limit: 0, before: null })).toEqual([]);
  });

  it('names the outcome of a reload', async () => {
    const journal = begin();
    const { pool } = await liveSystem(journal);
    pool.send({ type: 'pool.reload' });
    pool.send({ type: 'drained', forced: false });
    const records = await until('the reload to end', async () => {
      const found = await journal.poolEvents('pool-0', { limit: 50, before: null });
      return found[0]?.outcome === null ? null : found;
    });
    expect(records[0]).toMatchObject({ outcome: 'reloaded', to: 'ready.healthy' });
    expect(records.slice(1).every(({ outcome }) => outcome === null)).toBe(true);
  });

  it('holds no sample and no secret', async () => {
    const journal = begin();
    const { pool } = await liveSystem(journal);
    const before = journal.lastSeq();
    pool.send({ type: 'engine.sampled', outcome: 'ok', at: 1 });
    expect(journal.lastSeq()).toBe(before);
    const text = readFileSync(file('events.jsonl'), 'utf8');
    expect(text).toContain('"LANG":"C"');
    expect(text).toContain('"api_key":"[redacted]"');
    expect(text).not.toMatch(/hf_secret|sk-secret/);
  });

  it('goes on counting over restarts and remembers what was before', async () => {
    const first = begin();
    await liveSystem(first);
    const [last, records] = [first.lastSeq(), await first.poolEvents('pool-0', { limit: 50, before: null })];
    end(first);
    const second = begin();
    expect(second.lastSeq()).toBe(last + 1);
    expect(await second.poolEvents('pool-0', { limit: 50, before: null })).toEqual(records);
  });

  it('finds its number also behind a line longer than it reads at once', () => {
    const first = begin();
    first.observe(change('pool-0', 'a', 'a', { event: { type: 'engine.exited', tail: 'x'.repeat(3 * 1024 * 1024) } }));
    const last = first.lastSeq();
    end(first);
    expect(begin().lastSeq()).toBe(last + 1);
  });
});

describe('what is on disk', () => {
  it('survives kill -9: every number that was told is there', async () => {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../kit/journal-writer.ts'), stateDir],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let told = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      told += text;
    });
    await until('a thousand lines', () => told.split('\n').length > 1000, 15_000);
    child.kill('SIGKILL');
    await once(child, 'close');
    const numbers = told.split('\n').slice(0, -1).map(Number);
    const kept = new Set(linesOf('events.jsonl').map(({ seq }) => seq));
    expect(numbers.length).toBeGreaterThanOrEqual(1000);
    expect(numbers.filter((seq) => !kept.has(seq))).toEqual([]);
    expect(begin().lastSeq()).toBe(Math.max(...numbers, ...[...kept].map(Number)) + 1);
  });

  it('cut off at any byte, gives back every whole line and is written on after it', async () => {
    const writer = begin();
    for (let index = 0; index < 4; index += 1)
      writer.observe(change('pool-0', `s${index}`, `s${index + 1}`, { event: { type: 'pool.start', note: 'ü' } }));
    end(writer);
    const whole = readFileSync(file('transitions.jsonl'));
    const ends = [...whole.entries()].filter(([, byte]) => byte === 10).map(([index]) => index + 1);
    copyFileSync(file('transitions.jsonl'), file('whole'));
    for (let cut = 0; cut <= whole.length; cut += 1) {
      copyFileSync(file('whole'), file('transitions.jsonl'));
      truncateSync(file('transitions.jsonl'), cut);
      const journal = begin();
      const complete = ends.filter((offset) => offset <= cut).length;
      const found = await journal.poolEvents('pool-0', { limit: 50, before: null });
      expect(found.map(({ to }) => to)).toEqual(['s1', 's2', 's3', 's4'].slice(0, complete).reverse());
      journal.observe(change('pool-0', 'x', 'y'));
      expect(linesOf('transitions.jsonl')).toHaveLength(complete + 1);
      end(journal);
    }
    expect(existsSync(file('transitions.jsonl.bad'))).toBe(true);
  }, 60_000);

  it('may be damaged in the middle: the lines around it are read', async () => {
    const writer = begin();
    for (let index = 0; index < 3; index += 1) writer.observe(change('pool-0', `s${index}`, `s${index + 1}`));
    end(writer);
    const lines = readFileSync(file('transitions.jsonl'), 'utf8').split('\n');
    writeFileSync(file('transitions.jsonl'), [lines[0], '\0\0\0{"seq":', ...lines.slice(1)].join('\n'));
    expect((await begin().poolEvents('pool-0', { limit: 9, before: null })).map(({ to }) => to)).toEqual(['s3', 's2', 's1']);
  });

  it('stays within its bounds, keeps transitions longer than events, and begins each new file with checkpoints', () => {
    const journal = begin({ maxEventBytes: 4_000, maxTransitionBytes: 4_000 });
    for (let index = 0; index < 500; index += 1) journal.observe(change('pool-0', `s${index}`, `s${index + 1}`));
    const names = readdirSync(join(stateDir, 'journal')).sort();
    expect(names).toEqual([
      'events.1.jsonl',
      'events.jsonl',
      'transitions.1.jsonl',
      'transitions.2.jsonl',
      'transitions.3.jsonl',
      'transitions.jsonl',
    ]);
    for (const name of names) expect(readFileSync(file(name)).length).toBeLessThan(5_000);
    const [header, checkpoint] = linesOf('events.jsonl');
    expect(header).toMatchObject({ opened: { continues: true } });
    expect(checkpoint).toMatchObject({ actor: 'pool-0#1', checkpoint: { context: { poolId: 'pool-0' } } });
  });

  it('is asked for what memory has forgotten', async () => {
    const journal = begin();
    journal.observe(change('pool-old', '', 'first'));
    for (let index = 0; index < 5_000; index += 1) journal.observe(change('pool-0', `s${index}`, `s${index + 1}`));
    expect((await journal.poolEvents('pool-old', { limit: 5, before: null })).map(({ to }) => to)).toEqual(['first']);
    const early = await journal.poolEvents('pool-0', { limit: 3, before: 100 });
    expect(early.map(({ seq }) => seq)).toEqual([99, 98, 97]);
  });
});

describe('following', () => {
  const collect = (journal: Journal, after: number | null) => {
    const records: TransitionRecord[] = [];
    const stop = journal.follow(after, (record) => records.push(record));
    return { records, stop };
  };

  it('without a number hears only what comes from now on, until it stops', () => {
    const journal = begin();
    journal.observe(change('pool-0', 'a', 'b'));
    const { records, stop } = collect(journal, null);
    journal.observe(change('pool-0', 'b', 'c'));
    stop();
    journal.observe(change('pool-0', 'c', 'd'));
    expect(records.map(({ to }) => to)).toEqual(['c']);
  });

  it('with a number hears everything after it, once and in order, also what happens meanwhile', async () => {
    const journal = begin();
    for (let index = 0; index < 5_000; index += 1) journal.observe(change('pool-0', `s${index}`, `s${index + 1}`));
    const { records } = collect(journal, 10);
    journal.observe(change('pool-0', 'x', 'meanwhile'));
    await until('everything', () => records.at(-1)?.to === 'meanwhile');
    journal.observe(change('pool-0', 'x', 'later'));
    expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: records.length }, (_, index) => 11 + index));
    expect(records.at(-1)?.to).toBe('later');
    expect(records).toHaveLength(5_001 - 10 + 2);
  });

  it('resumes over a restart of the daemon', async () => {
    const first = begin();
    for (let index = 0; index < 5; index += 1) first.observe(change('pool-0', `s${index}`, `s${index + 1}`));
    const seen = collect(first, 2).records;
    await until('the first part', () => seen.length === 4);
    end(first);
    const second = begin();
    second.observe(change('pool-0', 's5', 's6'));
    const { records } = collect(second, seen[1]?.seq ?? 0);
    await until('the rest', () => records.length >= 3);
    expect(records.map(({ to }) => to)).toEqual(['s4', 's5', 's6']);
  });

  it('that throws is cut off and the others go on', () => {
    const failures: unknown[] = [];
    const journal = begin({ onFollowerFailure: (error) => failures.push(error) });
    journal.follow(null, () => {
      throw new Error('gone');
    });
    const { records } = collect(journal, null);
    journal.observe(change('pool-0', 'a', 'b'));
    journal.observe(change('pool-0', 'b', 'c'));
    expect(records).toHaveLength(2);
    expect(failures).toHaveLength(1);
  });
});

it('a line costs a small part of a millisecond', () => {
  const journal = begin();
  const rounds = 200;
  const seen = change('pool-0', 'ready', 'ready', { event: { type: 'engine.loadChanged', load: { slotsFree: 1 } } });
  const took = Array.from({ length: 10 }, () => {
    const start = performance.now();
    for (let index = 0; index < rounds; index += 1) journal.observe(seen);
    return (performance.now() - start) / rounds;
  });
  expect(Math.min(...took)).toBeLessThan(0.1);
});
