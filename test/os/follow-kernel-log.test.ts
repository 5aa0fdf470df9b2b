/** The kernel's log followed: from a file of the form of `/dev/kmsg`, from the real one where it may be read, from the journal. */
import { appendFile, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { followKernelLog, type Standing } from '../../src/os/follow-kernel-log.ts';
import { until } from '../kit/until.ts';

let dir: string;
let file: string;
let stop: () => void = () => {};
let heard: string[];
let standings: Standing[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kernel-log-'));
  file = join(dir, 'kmsg');
  heard = [];
  standings = [];
});
afterEach(async () => {
  stop();
  await rm(dir, { recursive: true, force: true });
});

const follow = (options: { file?: string; journalctl?: string } = {}): void => {
  stop = followKernelLog({
    file: options.file ?? file,
    journalctl: options.journalctl ?? join(dir, 'no-journalctl'),
    wanted: (text) => text.includes('NVRM'),
    onMessage: ({ text }) => heard.push(text),
    onStanding: (standing) => standings.push(standing),
  });
};
const record = (text: string): string => `3,1234,98765432,-;${text}\n SUBSYSTEM=pci\n`;
const following = (way: 'file' | 'journal') => until(`it to be followed by ${way}`, () => standings.some((one) => one.way === way));

/** A journalctl that says these lines and then waits, as the real one does. */
const fakeJournalctl = async (lines: readonly string[], end = 'exec sleep 1000'): Promise<string> => {
  const path = join(dir, 'journalctl');
  await writeFile(path, `#!/bin/sh\n${lines.map((line) => `echo '${line}'`).join('\n')}\n${end}\n`);
  await chmod(path, 0o755);
  return path;
};

describe('a log that can be read', () => {
  it('is told from now on, wanted messages only, once each and in order', async () => {
    await writeFile(file, record('NVRM: old'));
    follow();
    await following('file');
    await appendFile(file, record('NVRM: one') + record('usb 1-1: new device') + record('NVRM: two'));
    await until('both to be heard', () => heard.length === 2);
    expect(heard).toEqual(['NVRM: one', 'NVRM: two']);
  });

  it('waits for the end of a line that is half written', async () => {
    await writeFile(file, '');
    follow();
    await following('file');
    await appendFile(file, '3,1,1,-;NVRM: ha');
    await appendFile(file, 'lf\n');
    await until('it to be heard', () => heard.length === 1);
    expect(heard).toEqual(['NVRM: half']);
  });

  it('is read through a flood without keeping the loop', async () => {
    await writeFile(file, '');
    follow();
    await following('file');
    await appendFile(file, record(`usb ${'x'.repeat(200)}`).repeat(40_000) + record('NVRM: after the flood'));
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    await until('the last to be heard', () => heard.length === 1);
    clearInterval(timer);
    expect(longest).toBeLessThan(500);
  });

  it('is let go of when nobody listens any more', async () => {
    await writeFile(file, '');
    follow();
    await following('file');
    stop();
    await appendFile(file, record('NVRM: unheard'));
    const other = join(dir, 'other');
    await writeFile(other, '');
    const late: string[] = [];
    stop = followKernelLog({
      file: other,
      journalctl: 'none',
      wanted: () => true,
      onMessage: ({ text }) => late.push(text),
      onStanding: (standing) => standings.push(standing),
    });
    await until('another follower to be up', () => standings.length === 2);
    await appendFile(other, record('NVRM: heard'));
    await until('the other to hear', () => late.length === 1);
    expect(heard).toEqual([]);
  });
});

describe('a log that cannot be opened', () => {
  it('is followed in the journal, whose first line is an old one', async () => {
    const journalctl = await fakeJournalctl([
      JSON.stringify({ MESSAGE: 'NVRM: old', _SOURCE_MONOTONIC_TIMESTAMP: '1' }),
      'not JSON',
      JSON.stringify({ MESSAGE: [1, 2] }),
      JSON.stringify({ MESSAGE: 'NVRM: new', _SOURCE_MONOTONIC_TIMESTAMP: '2000000' }),
    ]);
    follow({ journalctl });
    await following('journal');
    await until('it to be heard', () => heard.length === 1);
    expect(heard).toEqual(['NVRM: new']);
  });

  it('nor the journal: both reasons are told, once', async () => {
    follow();
    await until('it to be told', () => standings.length > 0);
    expect(standings).toEqual([{ way: 'none', why: expect.stringMatching(/kmsg cannot be opened \(ENOENT.*journalctl cannot be run/) }]);
  });

  it('and a journal that ends says so', async () => {
    follow({ journalctl: await fakeJournalctl([], 'exit 3') });
    await until('it to be told', () => standings.length > 0);
    expect(standings).toEqual([{ way: 'none', why: expect.stringContaining('journalctl ended (exit status 3)') }]);
  });
});
