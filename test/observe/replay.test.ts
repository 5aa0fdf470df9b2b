import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replay } from '../../src/machines/replay.ts';
import { openJournal } from '../../src/observe/journal.ts';
import { contextDigest } from '../../src/observe/journal-lines.ts';
import { createInspector } from '../../src/observe/observe.ts';
import { parseLine } from '../../src/observe/read-lines.ts';
import { smallNode, smallPool, smallRegistration, startSmallSystem } from '../kit/small-system.ts';
import { until } from '../kit/until.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'replay-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const machines = { pool: smallPool, node: smallNode, registration: smallRegistration };
const read = (name = 'events'): unknown[] =>
  readFileSync(join(stateDir, 'journal', `${name}.jsonl`), 'utf8')
    .split('\n')
    .map(parseLine);
const fold = (lines: readonly unknown[]) => replay(lines, { machines, digest: contextDigest });

/** A pool's life with a crash, a retry by timer, a drain and a sample; the journal is closed, the actors' snapshots remain. */
const live = async (maxEventBytes = 1_000_000) => {
  const journal = openJournal({ stateDir, nodeId: 'n', version: '0', bootId: 'b', maxEventBytes });
  const inspector = createInspector([journal]);
  const system = startSmallSystem(inspector.inspect);
  const pool = system.add('pool-0', { HF_TOKEN: 'secret' });
  const reaches = (what: string) => until(what, () => JSON.stringify(pool.getSnapshot().value) === what);
  pool.send({ type: 'pool.start' });
  pool.send({ type: 'pool.start' });
  await reaches('{"ready":"healthy"}');
  pool.send({ type: 'engine.exited' });
  await reaches('{"ready":"healthy"}');
  pool.send({ type: 'engine.sampled', outcome: 'ok', at: 7 });
  pool.send({ type: 'pool.drain' });
  pool.send({ type: 'drained', forced: true });
  await reaches('{"offline":"stopped"}');
  return { journal, system, pool };
};

describe('a fold of the journal', () => {
  it('comes to the same states and contexts as the live actors', async () => {
    const { journal, pool, system } = await live();
    journal.close();
    const { divergence, reached, passedOver, folded } = fold(read());
    expect(divergence).toBeNull();
    expect(passedOver).toBe(0);
    expect(folded).toBeGreaterThan(12);
    const folk = reached.get('pool-0#1');
    expect(folk?.value).toEqual(pool.getSnapshot().value);
    expect(contextDigest(folk?.context)).toBe(contextDigest(pool.getSnapshot().context));
    expect(reached.get('node')?.context.roster).toEqual(system.node.getSnapshot().context.roster);
  });

  it('tells the story', async () => {
    (await live()).journal.close();
    expect(
      fold(read())
        .story.filter(({ actor }) => actor === 'pool-0#1')
        .map(({ event, from, to }) => `${event}: ${from} -> ${to}`),
    ).toEqual([
      'xstate.init:  -> uninitialized.idle',
      'pool.start: uninitialized.idle -> provisioning.engine',
      'pool.start: provisioning.engine -> starting.spawning',
      'xstate.done.actor.spawn: starting.spawning -> ready.healthy',
      'engine.exited: ready.healthy -> offline.backingOff',
      'xstate.after.retry.pool.offline.backingOff: offline.backingOff -> starting.spawning',
      'xstate.done.actor.spawn: starting.spawning -> ready.healthy',
      'pool.drain: ready.healthy -> draining.emptying',
      'drained: draining.emptying -> draining.releasing',
      'xstate.after.retry.pool.draining.releasing: draining.releasing -> offline.stopped',
    ]);
  });

  it('names the first line whose recorded state is not the one that the charts come to', async () => {
    (await live()).journal.close();
    const lines = read();
    const falsified = lines.map((line) => {
      const text = JSON.stringify(line) ?? '';
      return text.includes('"engine.exited"') ? parseLine(text.replace('offline.backingOff', 'offline.failed')) : line;
    });
    const seq = Object(lines.find((line) => JSON.stringify(line)?.includes('"engine.exited"'))).seq;
    expect(fold(falsified).divergence).toEqual({
      seq,
      actor: 'pool-0#1',
      event: 'engine.exited',
      what: 'state',
      recorded: 'offline.failed',
      replayed: 'offline.backingOff',
      hole: null,
    });
  });

  it('notices a context that differs although the state is the same', async () => {
    (await live()).journal.close();
    const altered = read().map((line) => parseLine((JSON.stringify(line) ?? 'null').replace('"forced":true', '"forced":false')));
    expect(fold(altered).divergence).toMatchObject({ event: 'drained', what: 'context' });
  });

  it('begins anew with each life of an actor and each daemon', async () => {
    (await live()).journal.close();
    (await live()).journal.close();
    const { divergence, story } = fold(read());
    expect(divergence).toBeNull();
    expect(story.filter(({ event, actor }) => event === 'xstate.init' && actor === 'pool-0#1').map(({ from }) => from)).toEqual(['', '']);
  });

  it('goes on from checkpoints where the beginning is no longer kept', async () => {
    const { journal, pool } = await live(6_000);
    for (let index = 0; index < 40; index += 1) pool.send({ type: 'engine.exited' });
    pool.send({ type: 'pool.start' });
    await until('ready', () => pool.getSnapshot().matches?.('ready'));
    journal.close();
    const { divergence, folded, reached } = fold(read());
    expect(read().some((line) => JSON.stringify(line)?.includes('"xstate.init"'))).toBe(false);
    expect(divergence).toBeNull();
    expect(folded).toBeGreaterThan(0);
    expect(reached.get('pool-0#1')?.value).toEqual({ ready: 'healthy' });
  });

  it('follows a machine into its death', async () => {
    const { journal, pool } = await live();
    pool.send({ type: 'pool.break' });
    journal.close();
    const { divergence, story } = fold(read());
    expect(divergence).toBeNull();
    expect(story.filter(({ actor }) => actor === 'pool-0#1').at(-1)).toMatchObject({ event: 'pool.break', to: 'offline.stopped' });
  });

  it('passes over lines whose beginning is missing, and what is no line at all', async () => {
    (await live()).journal.close();
    const { divergence, passedOver } = fold(['', 7, null, { seq: 1 }, ...read().slice(5)]);
    expect(divergence).toBeNull();
    expect(passedOver).toBeGreaterThan(0);
  });
});
