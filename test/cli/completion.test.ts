/** Completion as a shell does it: the script of the command, sourced by a real bash, with the pools of a daemon. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { shells } from '../../src/cli/completion.ts';
import { startHttpApi } from '../kit/http-api.ts';
import { runCommand } from '../kit/run-command.ts';
import { poolStatus } from '../kit/views.ts';

const run = promisify(execFile);
const command = resolve(import.meta.dirname, '../../bin/pool-managerd.js');

const scripts = new Map<string, string>();
beforeAll(async () => {
  for (const shell of shells) scripts.set(shell, (await runCommand(['completion', shell])).stdout);
});

/** What bash offers for a line whose last word is being typed. */
const offered = async (line: string, env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> => {
  const dir = await mkdtemp(join(tmpdir(), 'pool-managerd-completion-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'script'), scripts.get('bash') ?? '');
  await writeFile(join(dir, 'pool-managerd'), `#!/bin/sh\nexec '${process.execPath}' '${command}' "$@"\n`);
  await chmod(join(dir, 'pool-managerd'), 0o755);
  const words = line.split(' ');
  const program = `source ${dir}/script; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _pool_managerd; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run('bash', ['-c', program], { env: { PATH: `${dir}:${process.env['PATH'] ?? ''}`, HOME: dir, ...env }, cwd: dir });
  return stdout.split('\n').filter((word) => word !== '');
};

describe('completion', () => {
  it('offers commands, options and words that are expected', async () => {
    expect(await offered('pool-managerd dr')).toEqual(['drain']);
    expect(await offered('pool-managerd drain --d')).toEqual(['--deadline']);
    expect(await offered('pool-managerd config ch')).toEqual(['check']);
    expect(await offered('pool-managerd completion f')).toEqual(['fish']);
    expect(await offered('pool-managerd replay scr')).toEqual(['script']);
    expect(await offered('pool-managerd config check scr')).toEqual(['script']);
    expect(await offered('pool-managerd config scr')).toEqual([]);
  });

  it('offers the pools that there are, and none where there is no daemon', async () => {
    const api = await startHttpApi();
    onTestFinished(() => api.close());
    api.node.statuses = [poolStatus({ pool_id: 'chat' }), poolStatus({ pool_id: 'code' })];
    const env = { POOL_MANAGERD_BIND_ADDR: `127.0.0.1:${api.port}` };
    expect(await offered('pool-managerd drain c', env)).toEqual(['chat', 'code']);
    expect(await offered('pool-managerd drain c', { POOL_MANAGERD_BIND_ADDR: '127.0.0.1:1' })).toEqual([]);
  });

  it.each(shells)('for %s names every command but the one that only serves it', async (shell) => {
    const { stdout } = await runCommand(['--help']);
    const names = [...(stdout.split('Commands:')[1]?.split('Examples:')[0] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name ?? '');
    expect(names.length).toBeGreaterThan(15);
    expect(names).not.toContain('completion-ids');
    const script = scripts.get(shell) ?? '';
    expect(names.filter((name) => name !== 'help' && !new RegExp(`\\b${name}\\b`).test(script))).toEqual([]);
  });

  it('refuses a shell that it does not know (64)', async () => {
    expect(await runCommand(['completion', 'tcsh'])).toMatchObject({ exitCode: 64, stderr: expect.stringContaining('bash, zsh, fish') });
  });
});
