/** Machines decide and do nothing else: no I/O, no clock, no chance, no logger; and no guard reads what is only for display. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { initialContext as initialNode } from '../../src/machines/node/context.ts';
import { guards as nodeGuards } from '../../src/machines/node/guards.ts';
import { initialContext as initialPool, type PoolContext } from '../../src/machines/pool/context.ts';
import { guards as poolGuards } from '../../src/machines/pool/guards.ts';
import { attachedInput, because, foreignHandoff, handoff, load, poolInput, proof, recordedInput } from '../kit/pool-words.ts';
import { plain } from '../kit/registration-driver.ts';

const root = join(import.meta.dirname, '..', '..', 'src', 'machines');
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name: relative(root, join(root, name)), text: readFileSync(join(root, name), 'utf8') }));

/** Comments may name what the code must not use. */
const codeOf = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:])\/\/.*$/gm, '$1');

const forbidden: Readonly<Record<string, RegExp>> = {
  'imports of Node': /from\s+'node:|import\(|require\(/,
  'the wall clock': /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\b/,
  chance: /\bMath\.random\b|\bcrypto\b|randomUUID/,
  'the process': /\bprocess\.(env|argv|hrtime|exit|exitCode|on|stdout|stderr|cwd|kill|uptime|nextTick|platform|memoryUsage)\b|\bglobalThis\b/,
  'a logger': /\bconsole\b/,
  'timers of its own': /\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b|\bqueueMicrotask\b/,
  'the network': /\bfetch\s*\(/,
};

const violates = (text: string): readonly string[] => Object.keys(forbidden).filter((what) => forbidden[what]?.test(codeOf(text)));

describe('no file under src/machines', () => {
  it('uses what a machine must not', () => {
    expect(sources.length).toBeGreaterThan(40);
    expect(sources.flatMap(({ name, text }) => violates(text).map((what) => `${name}: ${what}`))).toEqual([]);
  });

  it.each([
    ["import { readFileSync } from 'node:fs';", 'imports of Node'],
    ['const now = Date.now();', 'the wall clock'],
    ['const now = new Date();', 'the wall clock'],
    ['const x = Math.random();', 'chance'],
    ['process.env', 'the process'],
    ['console.log(1)', 'a logger'],
    ['setTimeout(f, 1)', 'timers of its own'],
    ['await fetch(url)', 'the network'],
  ])('would pass with %j', (text, what) => {
    expect(violates(text)).toEqual([what]);
  });

  it('is refused for naming them in a comment', () => {
    expect(violates('/** Not Date.now(). */\nconst a = 1; // never Math.random\n')).toEqual([]);
  });

  it('imports anything but xstate and its siblings', () => {
    const foreign = sources.flatMap(({ name, text }) =>
      [...codeOf(text).matchAll(/from\s+'([^']+)'/g)]
        .map(([, from]) => from ?? '')
        .filter((from) => from !== 'xstate' && (!from.startsWith('.') || join(root, name, '..', from).startsWith(root) === false))
        .map((from) => `${name}: ${from}`),
    );
    expect(foreign).toEqual([]);
  });
});

const forDisplayOnly = new Proxy(
  {},
  {
    get: () => {
      throw new Error('a guard read samples');
    },
  },
) as never;

/** Everything that any guard may be given. */
const params = {
  handoff,
  outcome: 'wedged',
  specHash: 'h2',
  deadlineMs: 1,
  mono: 2,
  mode: 'keep',
  poolId: 'pool-0',
  actorId: 'pool-0#1',
  residency: 'proven',
  code: 'health_failed',
  load: load(0),
  survivors: [1],
  released: false,
  verdict: 'gone',
  is: 'gone',
  as: 'backingOff',
  event: { step: 'engine', phase: 'fetching' },
  step: 'engine',
  phase: 'fetching',
} as never;

const poolContexts: readonly PoolContext[] = [
  initialPool(poolInput),
  initialPool({ ...poolInput, ...attachedInput }),
  initialPool({ ...poolInput, ...recordedInput('ready') }),
  {
    ...initialPool({ ...poolInput, ...recordedInput('emptying') }),
    recorded: null,
    proof,
    drain: { why: 'health', deadlineMs: 1, startedMono: 1, startedAt: 1, forced: false },
  },
  { ...initialPool(poolInput), reason: { ...because('gpu_lost'), at: 1 }, gpus: null, gpuCause: because('gpu_lost'), shuttingDown: true },
];

describe('no guard reads samples', () => {
  it.each(Object.entries(poolGuards))('of a pool: %s', (_, guard) => {
    for (const context of poolContexts)
      for (const file of [handoff, foreignHandoff]) {
        const given = { ...(params as object), handoff: file } as never;
        expect(typeof guard({ context: { ...context, samples: forDisplayOnly } }, given)).toBe('boolean');
      }
  });

  it.each(Object.entries(nodeGuards))('of a node: %s', (_, guard) => {
    const context = { ...initialNode({ nodeId: 'n', registration: plain }), samples: forDisplayOnly };
    expect(typeof guard({ context }, params)).toBe('boolean');
  });

  it('and one that did would be found', () => {
    const guard = ({ context }: { readonly context: PoolContext }) => context.samples.vramUsedBytes !== null;
    expect(() => guard({ context: { ...initialPool(poolInput), samples: forDisplayOnly } })).toThrow('a guard read samples');
  });
});
