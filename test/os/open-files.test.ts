/** At the limit of open files whatever starts a tool fails as it may fail at any time: told to who asked, and ending nothing else. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const program = resolve(import.meta.dirname, '../kit/at-the-file-limit.ts');

it('with none to nine open files to spare every start of a tool comes to its end, and the daemon goes on (row 87)', (t) => {
  if (spawnSync('prlimit', ['--version']).status !== 0) return t.skip('there is no prlimit');
  const { status, stdout, stderr } = spawnSync('prlimit', ['--nofile=64', process.execPath, '--disable-warning=ExperimentalWarning', program], {
    encoding: 'utf8',
    timeout: 15_000,
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ tool: 10, install: 10, follow: 10, kernelLog: 10, fifo: 10, unit: 10 });
});
