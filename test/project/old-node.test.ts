/** The command on a Node that is too old: it hands over to the one in node_modules, or says what to do. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

/** Stands for the daemon: says with what it was started, then does what its first argument says. */
const program = `
process.emitWarning('used knowingly', 'ExperimentalWarning');
process.emitWarning('to be seen', 'SomethingElse');
const does = process.argv[2];
if (does === 'exit') process.exitCode = 7;
if (does === 'wait') { process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1000); }
console.log(JSON.stringify({ major: Number(process.versions.node.split('.')[0]), args: process.argv.slice(2) }));
if (does === 'die') process.kill(process.pid, 'SIGKILL');
`;

interface Setup {
  readonly bundled: boolean;
  /** Node 22.15 and later can become another program; older ones cannot. */
  readonly canBecome: boolean;
}

const setUp = async ({ bundled, canBecome }: Setup) => {
  const dir = await mkdtemp(join(tmpdir(), 'old-node-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  for (const part of ['bin', 'tools/need-node.js', 'package.json']) await cp(join(root, part), join(dir, part), { recursive: true });
  await mkdir(join(dir, 'src'));
  await writeFile(join(dir, 'src/main.ts'), program);
  const place = join(dir, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin');
  if (bundled) await mkdir(place, { recursive: true });
  if (bundled) await symlink(process.execPath, join(place, 'node'));
  const seemsOld = `Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.20.2'}});${canBecome ? '' : 'delete process.execve;'}`;
  return (file: string, ...args: string[]) => {
    const old = spawn(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(seemsOld)}`, join(dir, file), ...args]);
    onTestFinished(() => void old.kill('SIGKILL'));
    const [stdout, stderr, ended] = [text(old.stdout), text(old.stderr), once(old, 'exit')];
    return {
      old,
      done: async () => ({ code: (await ended)[0] as unknown, signal: (await ended)[1] as unknown, stdout: await stdout, stderr: await stderr }),
    };
  };
};

describe.each([
  { bundled: true, canBecome: true },
  { bundled: true, canBecome: false },
])('an old Node with the right one beside it ($canBecome)', (setup) => {
  it('runs the daemon on that one, with its arguments, and ends as it ends', async () => {
    const run = await setUp(setup);
    const { code, stdout } = await run('bin/pool-managerd.js', 'exit', '--json').done();
    expect(JSON.parse(stdout)).toEqual({ major: Number(process.versions.node.split('.')[0]), args: ['exit', '--json'] });
    expect(code).toBe(7);
  });

  it('hides the warnings of experimental features and no others', async () => {
    const run = await setUp(setup);
    const { stderr } = await run('bin/pool-managerd.js').done();
    expect(stderr).not.toContain('ExperimentalWarning');
    expect(stderr).toContain('to be seen');
  });

  it('passes a signal on', async () => {
    const run = await setUp(setup);
    const { old, done } = run('bin/pool-managerd.js', 'wait');
    await once(old.stdout, 'data');
    old.kill('SIGTERM');
    expect((await done()).code).toBe(9);
  });

  it('says that it was killed', async () => {
    const run = await setUp(setup);
    const { code, signal } = await run('bin/pool-managerd.js', 'die').done();
    expect(code ?? signal).toBe(setup.canBecome ? 'SIGKILL' : 137);
  });
});

describe('an old Node alone', () => {
  it.each(['bin/pool-managerd.js', 'tools/need-node.js'])('makes %s say what to do and exit with 78', async (file) => {
    const run = await setUp({ bundled: false, canBecome: true });
    const { code, stderr, stdout } = await run(file).done();
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(/needs Node 26 or later; this is Node 20\.20\.2 .*\n.*npm ci.*\n.*install Node 26/);
  });
});

describe('a Node that will do', () => {
  it('passes the first step of every npm script', async () => {
    const done = spawn(process.execPath, [join(root, 'tools/need-node.js')], { stdio: 'inherit' });
    expect((await once(done, 'exit'))[0]).toBe(0);
  });
});
