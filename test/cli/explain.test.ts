/** `explain FILE SEQ` on journals that real charts wrote. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assign, createMachine, initialTransition, transition } from 'xstate';
import type { PoolEvent } from '../../src/machines/events.ts';
import { explain } from '../../src/machines/explain.ts';
import { pathOf } from '../../src/machines/policies/describe.ts';
import type { PoolInput } from '../../src/machines/pool/context.ts';
import { poolMachine } from '../../src/machines/pool/machine.ts';
import { openJournal } from '../../src/observe/journal.ts';
import { createInspector } from '../../src/observe/observe.ts';
import { gpuSpec } from '../kit/gpu-facts.ts';
import { driveRegistration, settled } from '../kit/registration-driver.ts';
import { runCommand } from '../kit/run-command.ts';

let dir: string;
let file: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'explain-'));
  const journal = openJournal({ stateDir: dir, nodeId: 'n', version: '0', bootId: 'b' });
  await settled(driveRegistration(createInspector([journal]).inspect));
  journal.close();
  file = join(dir, 'journal', 'events.jsonl');
});
afterEach(() => rmSync(dir, { recursive: true }));

const lines = (): string[] => readFileSync(file, 'utf8').trimEnd().split('\n');
const seqOf = (part: string): string => String(JSON.parse(lines().find((line) => line.includes(part)) ?? '{}').seq);

const input: PoolInput = {
  poolId: 'pool-0',
  origin: 'file',
  spec: gpuSpec({ preload: false }),
  specHash: 'h',
  gpus: [{ index: 0, uuid: 'GPU-0' }],
  gpuCause: null,
  run: null,
  memory: null,
  handoff: null,
  orphaned: false,
  beside: null,
  reloading: null,
};
/** A pool's journal, folded as it is made. */
const poolLines = (...events: readonly PoolEvent[]) => {
  let [snapshot] = initialTransition(poolMachine, input);
  const line = (seq: number, event: object) => ({
    seq,
    at: '2026-01-01T00:00:00.000Z',
    actor: 'pool-0#1',
    machine: 'pool',
    state: pathOf(snapshot.value),
    status: 'active',
    event,
  });
  const first = line(1, { type: 'xstate.init', input });
  return [
    first,
    ...events.map((event, index) => {
      [snapshot] = transition(poolMachine, snapshot, event);
      return line(index + 2, event);
    }),
  ];
};
const stamp = { at: 1, mono: 1 };

describe('explain', () => {
  it('tells what the event did, step by step', async () => {
    const seq = seqOf('"state":"registered.beating"');
    const { exitCode, stdout, stderr } = await runCommand(['explain', file, seq]);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      new RegExp(`^${seq} {2}\\S+Z {2}registration {2}xstate\\.done\\.actor\\.\\S+\nfrom {6}registering\nto {8}registered\\.beating\n`),
    );
    expect(stdout).toMatch(
      /^step 1\n(?: {2}asked .*\n)* {2}taken {3}registration\.registering on xstate\.done\.actor\.\S+ -> registration\.registered/m,
    );
  });

  it('says where the fold has parted from the record', async () => {
    const seq = seqOf('"state":"registered.beating"');
    writeFileSync(
      file,
      lines()
        .map((line) => line.replace('"state":"registered.beating"', '"state":"rejected"'))
        .join('\n'),
    );
    const { exitCode, stdout, stderr } = await runCommand(['explain', file, seq]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('registering -> registered.beating');
    expect(stderr).toContain('state recorded as rejected, replayed as registered.beating');
  });

  it('refuses a number that is not there, or none, and a journal of a newer form', async () => {
    expect(await runCommand(['explain', file, '4711'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('expected a line with seq 4711'),
    });
    expect(await runCommand(['explain', file, 'last'])).toMatchObject({ exitCode: 64 });
    writeFileSync(
      file,
      lines()
        .map((line) => line.replace('"journal":1,"version":"0"', '"journal":2,"version":"9.1.0"'))
        .join('\n'),
    );
    for (const command of [
      ['replay', file],
      ['explain', file, '2'],
    ])
      expect(await runCommand(command)).toMatchObject({
        exitCode: 1,
        stdout: '',
        stderr: expect.stringContaining('expected a journal of form 1 at most, found form 2; read it with pool-managerd 9.1.0'),
      });
  });
});

describe('an explanation of a pool', () => {
  const machines = { pool: poolMachine };
  const of = (seq: number, ...events: readonly PoolEvent[]) => explain(poolLines(...events), seq, { machines });

  it('has the beginning of its life, with the guards that kept it where it is', () => {
    const { found, told } = of(1);
    expect(told.divergence).toBeNull();
    expect(found).toMatchObject({ from: '', failure: null });
    expect(found?.steps[0]).toMatchObject({ from: '', to: 'uninitialized.idle', taken: [], invokes: ['memory'] });
    expect(found?.steps.at(-1)).toMatchObject({ to: pathOf(initialTransition(poolMachine, input)[0].value) });
  });

  it('has guards with their answers, transitions, actions and what begins', () => {
    const { found } = of(2, { type: 'pool.start', ...stamp });
    expect(found?.changed).toContain('wanted');
    expect(found?.steps[0]?.taken).toEqual([expect.objectContaining({ on: 'pool.start' })]);
    expect(found?.steps.flatMap(({ guards }) => guards)).toContainEqual({ name: 'mayStart', params: undefined, holds: true });
    expect(found?.steps.flatMap(({ invokes }) => invokes)).toEqual(expect.arrayContaining(['provisionEngine', 'provisionModel']));
    expect(found?.steps.flatMap(({ actions }) => actions)).toContain('remember');
  });

  it('has no step where the event does nothing', () => {
    const { found } = of(2, { type: 'engine.stalled', cause: { code: 'start_stalled', message: 'm' }, ...stamp });
    expect(found).toMatchObject({ steps: [], changed: [], failure: null });
    expect(found?.inVain.map(({ name, holds }) => [name, holds])).toContainEqual(['mayStart', false]);
  });

  it('has what the machine threw', () => {
    const thrown = assign(() => {
      throw new Error('no');
    });
    const breaks = createMachine({ initial: 'a', states: { a: { on: { break: { actions: thrown } } } } });
    const line = { at: '2026-01-01T00:00:00.000Z', actor: 'p', machine: 'pool', state: 'a' };
    const raw = [
      { ...line, seq: 1, status: 'active', event: { type: 'xstate.init' } },
      { ...line, seq: 2, status: 'error', event: { type: 'break' } },
    ];
    expect(explain(raw, 2, { machines: { pool: breaks } }).found).toMatchObject({ from: 'a', failure: 'no' });
  });

  it('is none for a line whose beginning is missing', () => {
    expect(explain(poolLines({ type: 'pool.start', ...stamp }).slice(1), 2, { machines }).found).toBeNull();
  });
});
