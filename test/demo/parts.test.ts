/** The small parts of the demo: its command line, its choices, what a tour believes, and what a terminal is sent. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import { gpuSchema, nodeSchema, poolSchema } from '../../src/cli/answers.ts';
import { chooseEngine } from '../../src/demo/engine-choice.ts';
import { readArguments } from '../../src/demo/options.ts';
import { freeOr } from '../../src/demo/ports.ts';
import { runDemo } from '../../src/demo/run-demo.ts';
import { openScreen } from '../../src/demo/screen.ts';
import { soon } from '../../src/demo/tour/soon.ts';
import { createTrail, TourFailure } from '../../src/demo/tour/trail.ts';
import { walkAll } from '../../src/demo/tour/walk.ts';
import { viewLines } from '../../src/demo/view-lines.ts';
import { gpuView, nodeView, poolStatus } from '../kit/views.ts';

const never = new AbortController().signal;

describe('the command line', () => {
  it('is read', () => {
    expect(readArguments([])).toEqual({ kind: 'run', options: { tour: false, llamaServer: null, model: null, freePorts: false, journal: null } });
    expect(readArguments(['--tour', '--llama-server', '/x', '--model=/m', '--free-ports', '--journal', 'tour.jsonl'])).toEqual({
      kind: 'run',
      options: { tour: true, llamaServer: '/x', model: '/m', freePorts: true, journal: 'tour.jsonl' },
    });
    expect(readArguments(['--tour', '-h'])).toEqual({ kind: 'help' });
  });

  it.each([['--nope'], ['extra'], ['--model']])('is refused with %s', (word) => {
    expect(readArguments([word])).toMatchObject({ kind: 'wrong', message: expect.stringContaining(word) });
  });

  it('ends with 64 where it is wrong, before anything is started', async () => {
    const said: string[] = [];
    const write = process.stderr.write;
    process.stderr.write = (text) => said.push(String(text)) > 0;
    onTestFinished(() => {
      process.stderr.write = write;
    });
    expect(await runDemo(['--nope'])).toBe(64);
    expect(await runDemo(['--model', '/nowhere.gguf'])).toBe(64);
    expect(await runDemo(['--journal', '/nowhere/tour.jsonl'])).toBe(64);
    expect(said.join('')).toContain("Unknown option '--nope'\n(--help tells more)");
    expect(said.join('')).toContain('--model: expected a readable file, found none at /nowhere.gguf');
    expect(said.join('')).toContain(
      "--journal: expected a file that can be written, found ENOENT: no such file or directory, open '/nowhere/tour.jsonl'",
    );
  });
});

describe('the engine', () => {
  const dir = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'engine-choice-'));
    onTestFinished(() => rmSync(made, { recursive: true }));
    return made;
  };
  const withEngine = () => {
    const path = dir();
    const executable = join(path, 'llama-server');
    const model = join(path, 'm.gguf');
    writeFileSync(executable, '');
    chmodSync(executable, 0o755);
    writeFileSync(model, '');
    return { path, executable, model };
  };
  const unnamed = { llamaServer: null, model: null };

  it('is the one on the PATH with the usual model, or the one that is named', () => {
    const { path, executable, model } = withEngine();
    const real = { ok: true, engine: { kind: 'llama-server', executable, model } };
    expect(chooseEngine(unnamed, { path: `/nowhere::${path}`, usualModel: model })).toEqual(real);
    expect(chooseEngine({ llamaServer: executable, model: null }, { path: '', usualModel: model })).toEqual(real);
    expect(chooseEngine({ llamaServer: executable, model }, { path: '', usualModel: '/nowhere' })).toEqual(real);
  });

  it('is the stub where nothing is named and either is missing', () => {
    const { path, model } = withEngine();
    const stub = { ok: true, engine: { kind: 'stub' } };
    expect(chooseEngine(unnamed, { path: '', usualModel: model })).toEqual(stub);
    expect(chooseEngine(unnamed, { path, usualModel: '/nowhere' })).toEqual(stub);
  });

  it('is never another than the one that is named', () => {
    const { path, executable, model } = withEngine();
    const refused = (problem: string) => ({ ok: false, problem: expect.stringContaining(problem) });
    expect(chooseEngine({ llamaServer: '/nowhere', model }, { path, usualModel: model })).toEqual(refused('--llama-server: expected an executable'));
    expect(chooseEngine({ llamaServer: dir(), model }, { path, usualModel: model })).toEqual(refused('--llama-server: expected an executable'));
    expect(chooseEngine({ llamaServer: executable, model: '/nowhere' }, { path, usualModel: model })).toEqual(
      refused('--model: expected a readable'),
    );
    expect(chooseEngine({ llamaServer: executable, model: null }, { path, usualModel: '/nowhere' })).toEqual(refused('--llama-server needs a model'));
    expect(chooseEngine({ llamaServer: null, model }, { path: '', usualModel: model })).toEqual(refused('no llama-server on the PATH'));
  });
});

it('a port that is taken is not chosen', async () => {
  const server = createServer();
  const taken = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  expect(await freeOr(taken)).not.toBe(taken);
  await new Promise((resolve) => server.close(resolve));
  expect(await freeOr(taken)).toBe(taken);
});

describe('a trail', () => {
  it('gives what is expected in its order, whether it was there before or comes', async () => {
    const trail = createTrail<number>('pool x', never);
    trail.see('one', 1);
    trail.see('one', 2);
    expect(await trail.expect('one', 1_000)).toBe(1);
    const next = trail.expect('two', 1_000);
    trail.see('two', 3);
    expect(await next).toBe(3);
  });

  it('fails at what comes instead, and at what does not come', async () => {
    const trail = createTrail<null>('pool x', never);
    trail.see('one', null);
    await trail.expect('one', 1_000);
    trail.see('three', null);
    await expect(trail.expect('two', 1_000)).rejects.toThrow('pool x: expected two after one, found three');
    await expect(trail.expect('two', 20)).rejects.toThrow('pool x: expected two after one, found nothing more within 0.02 s');
    const ending = new AbortController();
    const ended = createTrail<null>('pool y', ending.signal).expect('one', 10_000);
    ending.abort();
    await expect(ended).rejects.toThrow('pool y: expected one after the beginning, found nothing more before the tour was ended');
  });
});

it('what does not come soon is a failure of the tour', async () => {
  let looked = 0;
  const third = (): number | null => {
    looked += 1;
    return looked < 3 ? null : looked;
  };
  expect(await soon({ what: 'x', withinMs: 5_000, signal: never }, third)).toBe(3);
  await expect(soon({ what: 'a thing', withinMs: 30, signal: never }, () => null)).rejects.toThrow('expected a thing within 0.03 s, found none');
});

describe('a walk', () => {
  it('names each step with its time', async () => {
    const said: string[] = [];
    let clock = 0;
    const now = (): number => {
      clock += 250;
      return clock;
    };
    const step = (name: string) => ({ name, walk: async (tell: (line: string) => void) => tell(`${name} is seen`) });
    expect(await walkAll([step('one'), step('two')], (line) => said.push(line), now)).toBeNull();
    expect(said).toMatchInlineSnapshot(`
      [
        "",
        "  0.250 s  step 1 of 2: one",
        "  0.500 s    one is seen",
        "",
        "  0.750 s  step 2 of 2: two",
        "  1.000 s    two is seen",
        "",
        "  1.250 s  all 2 steps were seen",
      ]
    `);
  });

  it('ends at the first step that fails and names those that were not reached', async () => {
    const walked: string[] = [];
    const step = (name: string, thrown: Error | null = null) => ({
      name,
      walk: async () => {
        walked.push(name);
        if (thrown !== null) throw thrown;
      },
    });
    const steps = [step('one'), step('two', new TourFailure('expected x, found y')), step('three'), step('four')];
    expect(await walkAll(steps, () => undefined)).toBe('missing in step "two": expected x, found y\nnot reached: three; four');
    expect(walked).toEqual(['one', 'two']);
    expect(await walkAll([step('one', new Error('a bug'))], () => undefined)).toBe('missing in step "one": unexpected failure: a bug');
  });
});

describe('the view', () => {
  const viewed = (rows: number) =>
    viewLines({
      introduction: ['simulated GPUs'],
      node: v.parse(nodeSchema, nodeView()),
      pools: [v.parse(poolSchema, poolStatus())],
      gpus: [v.parse(gpuSchema, gpuView())],
      controlPlane: null,
      hints: ['try this'],
      happenings: ['first', 'second', 'third'],
      rows,
    });

  it('shows the latest happenings for which there is room, and one at least', () => {
    expect(viewed(100)).toEqual(expect.arrayContaining(['first', 'second', 'third', 'heartbeats     none', 'try this']));
    const least = viewed(5);
    expect(least).toContain('third');
    expect(least).not.toContain('second');
  });

  it('is drawn over the last one, cut at the edge, and gives the terminal back once', () => {
    const written: string[] = [];
    const screen = openScreen({ rows: 2, write: (text) => written.push(text) });
    screen.draw(['one', 'two', 'three']);
    screen.close();
    screen.close();
    expect(written).toEqual([
      '\u001b[?1049h\u001b[?7l\u001b[?25l',
      '\u001b[Hone\u001b[K\r\ntwo\u001b[K\u001b[J',
      '\u001b[?25h\u001b[?7h\u001b[?1049l',
    ]);
  });
});
