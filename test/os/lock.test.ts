import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { lockStateDir } from '../../src/os/lock.ts';
import { temporaryDir } from '../kit/engine-process.ts';

interface Said {
  readonly ok: boolean;
  readonly holderPid: number | null;
  readonly enginePid: number | null;
}

const holder = async (
  ...args: readonly string[]
): Promise<{ readonly child: ChildProcess; readonly said: Said; readonly ended: Promise<unknown> }> => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'hold-lock.ts'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const [line] = await once(createInterface(child.stdout), 'line');
  const said: Said = JSON.parse(line);
  return { child, said, ended };
};

const acquired = (dir: string): boolean => {
  const lock = lockStateDir(dir);
  if (lock.ok) lock.release();
  return lock.ok;
};

it('A second daemon is refused at once and told the pid of the first, which is undisturbed', async () => {
  const dir = join(await temporaryDir(), 'state');
  const first = await holder(dir);
  expect(first.said.ok).toBe(true);
  const begun = performance.now();
  expect(lockStateDir(dir)).toEqual({ ok: false, holderPid: first.child.pid });
  expect(performance.now() - begun).toBeLessThan(1_000);
  const second = await holder(dir);
  expect(second.said).toMatchObject({ ok: false, holderPid: first.child.pid });
  expect(await second.ended).toEqual([75, null]);
  expect(lockStateDir(dir)).toEqual({ ok: false, holderPid: first.child.pid });
  expect([statSync(dir).mode & 0o777, statSync(join(dir, 'lock')).mode & 0o777]).toEqual([0o700, 0o600]);
});

it('A holder that is killed holds nothing, though an engine it started lives on', async () => {
  const dir = await temporaryDir();
  const first = await holder(dir, 'engine');
  const enginePid = first.said.enginePid ?? 0;
  onTestFinished(() => void process.kill(enginePid, 'SIGKILL'));
  expect(acquired(dir)).toBe(false);
  first.child.kill('SIGKILL');
  await first.ended;
  expect(acquired(dir)).toBe(true);
  expect(readFileSync(`/proc/${enginePid}/comm`, 'utf8')).toBe('sleep\n');
});

it('A holder that lets go holds nothing, however often it says so, and its pid is gone from the file', async () => {
  const dir = await temporaryDir();
  const first = lockStateDir(dir);
  if (!first.ok) throw new Error('expected the lock');
  expect(readFileSync(join(dir, 'lock'), 'utf8')).toBe(`${process.pid}\n`);
  expect(lockStateDir(dir)).toEqual({ ok: false, holderPid: process.pid });
  first.release();
  expect(readFileSync(join(dir, 'lock'), 'utf8')).toBe('');
  const second = lockStateDir(dir);
  first.release();
  expect(acquired(dir)).toBe(false);
  if (second.ok) second.release();
  expect(acquired(dir)).toBe(true);
});

it('A pid left by a holder that was killed, or nonsense, does not keep anybody out', async () => {
  const dir = await temporaryDir();
  writeFileSync(join(dir, 'lock'), '1\n');
  const lock = lockStateDir(dir);
  writeFileSync(join(dir, 'lock'), 'nonsense');
  expect(lockStateDir(dir)).toEqual({ ok: false, holderPid: null });
  if (lock.ok) lock.release();
  expect(lock.ok).toBe(true);
});

it('A directory that cannot be locked is an error that names the setting', async () => {
  const dir = await temporaryDir();
  writeFileSync(join(dir, 'file'), '');
  expect(() => lockStateDir(join(dir, 'file'))).toThrow(/POOL_MANAGERD_STATE_DIR/);
  symlinkSync('file', join(dir, 'lock'));
  expect(() => lockStateDir(dir)).toThrow(/ELOOP.*POOL_MANAGERD_STATE_DIR/);
  mkdirSync(join(dir, 'other', 'lock'), { recursive: true });
  expect(() => lockStateDir(join(dir, 'other'))).toThrow(/POOL_MANAGERD_STATE_DIR/);
});

it('A directory that cannot be made is refused at once, also where there is nothing to make one in', () => {
  expect(() => lockStateDir('/proc/nowhere/state')).toThrow(
    expect.objectContaining({ reason: expect.objectContaining({ code: 'state_store_failed' }) }),
  );
});
