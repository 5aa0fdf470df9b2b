/** `replay FILE` on a journal that a real chart wrote, on one that was altered, and on what is none. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournal } from '../../src/observe/journal.ts';
import { createInspector } from '../../src/observe/observe.ts';
import { driveRegistration, settled } from '../kit/registration-driver.ts';
import { runCommand } from '../kit/run-command.ts';

let dir: string;
let file: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'replay-'));
  const journal = openJournal({ stateDir: dir, nodeId: 'n', version: '0', bootId: 'b' });
  await settled(driveRegistration(createInspector([journal]).inspect));
  journal.close();
  file = join(dir, 'journal', 'events.jsonl');
});
afterEach(() => rmSync(dir, { recursive: true }));

const lines = (): string[] => readFileSync(file, 'utf8').trimEnd().split('\n');
const rewrite = (changed: readonly string[]): void => writeFileSync(file, `${changed.join('\n')}\n`);

describe('replay', () => {
  it('tells the story and says that it folds', async () => {
    const { exitCode, stdout, stderr } = await runCommand(['replay', file]);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^\d+ {2}\S+Z {2}registration {2}- -> registering {2}xstate\.init$/m);
    expect(stdout).toMatch(/registration {2}registering -> registered\.beating {2}xstate\.done\.actor\.\S+$/m);
    expect(stdout).toMatch(/\n\d+ events replayed, the same states and contexts as recorded\n$/);
  });

  it('names the first line that is not what the charts say, after the story', async () => {
    const at = lines().findIndex((line) => line.includes('"state":"registered.beating"'));
    const seq: unknown = JSON.parse(lines()[at] ?? '').seq;
    rewrite(lines().map((line) => line.replace('"state":"registered.beating"', '"state":"rejected"')));
    const { exitCode, stdout, stderr } = await runCommand(['replay', file]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('registering -> rejected');
    expect(stdout).not.toContain('events replayed');
    expect(stderr).toContain(`line with seq ${seq} (registration, xstate.done.actor.`);
    expect(stderr).toContain('state recorded as rejected, replayed as registered.beating');
  });

  it('notices a context that was altered', async () => {
    rewrite(lines().map((line) => line.replace(/"ctx":"[0-9a-f]{8}"/, '"ctx":"00000000"')));
    const { exitCode, stderr } = await runCommand(['replay', file]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('digest of the context recorded as 00000000');
  });

  it('passes over a torn last line and over lives whose beginning is missing', async () => {
    writeFileSync(file, `${lines().join('\n')}\n{"seq":99,"at":"2026`);
    expect(await runCommand(['replay', file])).toMatchObject({ exitCode: 0, stderr: '' });
    rewrite(lines().filter((line) => !line.includes('xstate.init')));
    expect((await runCommand(['replay', file])).stdout).toMatch(/^0 events replayed, .*; \d+ passed over, as their beginning is not in the file$/m);
  });

  it('refuses what is no journal, and what is not there', async () => {
    writeFileSync(file, 'no journal\n');
    expect(await runCommand(['replay', file])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('found no line of JSON') });
    const nowhere = join(dir, 'nowhere.jsonl');
    expect(await runCommand(['replay', nowhere])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`${nowhere}: cannot be read: ENOENT`),
    });
    expect(await runCommand(['replay'])).toMatchObject({ exitCode: 64 });
  });
});
