import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openStateStore } from '../../src/state/files.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { until } from '../kit/until.ts';

/** Attaching is refused to all but root where ptrace is restricted to descendants, and to everybody in some containers. */
const mayAttach = process.geteuid?.() === 0 && spawnSync('strace', ['-o', '/dev/null', '-e', 'inject=fsync:error=EIO', 'true']).status === 0;

interface Outcome {
  readonly said: string | null;
  readonly signal: string | null;
  /** Boot id of the memory a next process finds. */
  readonly found: string | null;
  readonly temporaries: readonly string[];
  /** As above, after that process looked. */
  readonly afterwards: readonly string[];
  readonly trace: string;
}

const linesOf = (stream: NodeJS.ReadableStream) => {
  const lines = createInterface(stream)[Symbol.asyncIterator]();
  return async (): Promise<string | null> => (await lines.next()).value ?? null;
};

/** One thread for files, traced from just before the write, so that a fault meets the n-th call of the write itself. */
const writeUnder = async (...faults: readonly string[]): Promise<Outcome> => {
  const dir = await temporaryDir();
  const script = join(import.meta.dirname, 'write-when-told.ts');
  const writer = spawn(process.execPath, [script, dir], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: '' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(writer, 'exit');
  onTestFinished(async () => {
    writer.kill('SIGKILL');
    await ended;
  });
  const next = linesOf(writer.stdout);
  expect(await next()).toBe('ready');
  const traced = 'openat,fchmod,fsync,rename,renameat,renameat2,unlink,unlinkat';
  const log = join(dir, 'strace.log');
  const strace = spawn('strace', ['-f', '-p', String(writer.pid), '-o', log, '-e', `trace=${traced}`, ...faults.flatMap((one) => ['-e', one])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const straceEnded = once(strace, 'exit');
  let heard = '';
  strace.stderr.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  await until('strace to attach', () => heard.includes('attached') || strace.exitCode !== null);
  writer.stdin.write('go\n');
  const said = await next();
  const [, signal] = await ended;
  await straceEnded;
  const pools = join(dir, 'pools');
  const temporaries = (await readdir(pools)).filter((name) => name.startsWith('.'));
  const { values, setAside } = await (await openStateStore(dir)).memories.list();
  expect(setAside).toEqual([]);
  return {
    said,
    signal,
    found: values[0]?.bootId ?? null,
    temporaries,
    afterwards: (await readdir(pools)).filter((name) => name !== 'a.json'),
    trace: await readFile(log, 'utf8'),
  };
};

const at = (call: string, nth: number, fault: string): string =>
  `inject=${call === 'rename' ? '/^rename' : call === 'unlink' ? '/^unlink' : call}:${fault}:when=${nth}`;

describe.skipIf(!mayAttach)('A state write (needs strace and root)', () => {
  it('is open, chmod, fsync, rename, open of the directory, fsync: those are its crash points', async () => {
    const { said, found, trace } = await writeUnder();
    expect([said, found]).toEqual(['kept', 'new']);
    const calls = [...trace.matchAll(/^\d+ +([a-z]+)[a-z0-9]*\(/gm)].map(([, call]) => call);
    expect(calls).toEqual(['openat', 'fchmod', 'fsync', 'rename', 'openat', 'fsync']);
  });

  it.each([
    ['opening the temporary file', 'openat', 1, 'old', 0],
    ['setting its mode', 'fchmod', 1, 'old', 1],
    ['flushing it', 'fsync', 1, 'old', 1],
    ['renaming it', 'rename', 1, 'old', 1],
    ['opening the directory', 'openat', 2, 'new', 0],
    ['flushing the directory', 'fsync', 2, 'new', 0],
  ] as const)(
    'killed at %s leaves the old or the new content, whole, and nothing once the next process has looked',
    async (_what, call, nth, content, left) => {
      const { said, signal, found, temporaries, afterwards } = await writeUnder(at(call, nth, 'signal=KILL'));
      expect([said, signal, found]).toEqual([null, 'SIGKILL', content]);
      expect([temporaries.length, afterwards]).toEqual([left, []]);
    },
  );

  it.each([
    ['openat', 1, 'ENOSPC', 'disk_full', 'old'],
    ['openat', 1, 'EDQUOT', 'disk_full', 'old'],
    ['openat', 1, 'EROFS', 'state_store_failed', 'old'],
    ['fsync', 1, 'EIO', 'state_store_failed', 'old'],
    ['fsync', 1, 'ENOSPC', 'disk_full', 'old'],
    ['rename', 1, 'EIO', 'state_store_failed', 'old'],
    ['openat', 2, 'EMFILE', 'state_store_failed', 'new'],
    ['fsync', 2, 'EIO', 'state_store_failed', 'new'],
  ] as const)('whose %s (call %i) answers %s is told as %s, never retried as if fine, and clears up', async (call, nth, errno, code, content) => {
    const { said, found, temporaries, trace } = await writeUnder(at(call, nth, `error=${errno}`));
    expect(JSON.parse(said ?? '')).toMatchObject({ code, message: expect.stringMatching(`pools/a.json: .*${errno}`), details: { errno } });
    expect([found, temporaries]).toEqual([content, []]);
    expect(trace.split('(INJECTED)')).toHaveLength(2);
  });

  it('that can neither be renamed nor removed again leaves its temporary file to the next process', async () => {
    const { said, found, temporaries, afterwards } = await writeUnder(at('rename', 1, 'error=EIO'), at('unlink', 1, 'error=EIO'));
    expect(JSON.parse(said ?? '')).toMatchObject({ code: 'state_store_failed', message: expect.stringContaining('rename') });
    expect([found, temporaries.length, afterwards]).toEqual(['old', 1, []]);
  });
});
