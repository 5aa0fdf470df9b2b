/** Completion in real shells, as their users have it: zsh in a terminal, at the Tab key, and fish by the command that its own Tab asks. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startHttpApi } from '../kit/http-api.ts';
import { hasTerminals, openTerminal } from '../kit/terminal.ts';
import { until } from '../kit/until.ts';
import { poolStatus } from '../kit/views.ts';

const run = promisify(execFile);
const command = resolve(import.meta.dirname, '../../bin/pool-managerd.js');
const shell = (name: string): string | null => [`/usr/bin/${name}`, `/bin/${name}`].find((path) => existsSync(path)) ?? null;
const [zsh, fish] = [shell('zsh'), shell('fish')];

/** A home with `pool-managerd` on the PATH, and a daemon with two pools. */
const atHome = async (): Promise<{ readonly dir: string; readonly env: Readonly<Record<string, string>> }> => {
  const dir = await mkdtemp(join(tmpdir(), 'pool-managerd-completions-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await mkdir(join(dir, 'bin'));
  await writeFile(join(dir, 'bin', 'pool-managerd'), `#!/bin/sh\nexec '${process.execPath}' '${command}' "$@"\n`);
  await chmod(join(dir, 'bin', 'pool-managerd'), 0o755);
  await writeFile(join(dir, 'journal.jsonl'), '');
  const api = await startHttpApi();
  onTestFinished(() => api.close());
  api.node.statuses = [poolStatus({ pool_id: 'chat' }), poolStatus({ pool_id: 'code' })];
  const env = {
    PATH: `${dir}/bin:/usr/bin:/bin`,
    HOME: dir,
    ZDOTDIR: dir,
    TERM: 'xterm',
    LANG: 'C.UTF-8',
    POOL_MANAGERD_BIND_ADDR: `127.0.0.1:${api.port}`,
  };
  return { dir, env };
};

const soon = 30_000;

describe.skipIf(zsh === null || !hasTerminals)('zsh', () => {
  const open = async () => {
    const { dir, env } = await atHome();
    const rc = [
      'autoload -Uz compinit',
      `compinit -u -d ${dir}/.zcompdump`,
      'source <(pool-managerd completion zsh)',
      `cd ${dir}`,
      "PROMPT='ready> '",
      '',
    ];
    await writeFile(join(dir, '.zshrc'), rc.join('\n'));
    const terminal = openTerminal(`${zsh} -i`, env);
    onTestFinished(terminal.close);
    await until('the prompt', () => terminal.shown().includes('ready> '), soon);
    /** What is shown from when this is typed until `what` is there; then the line is given up. */
    const typed = async (keys: string, what: string): Promise<string> => {
      const before = terminal.shown().length;
      terminal.type(keys);
      await until(`${what} after ${JSON.stringify(keys)}`, () => terminal.shown().slice(before).includes(what), soon);
      const seen = terminal.shown().slice(before);
      // The line is emptied, by a key: a signal would throw away what is typed after it.
      terminal.type('\u0015');
      return seen;
    };
    return typed;
  };

  it('completes commands, options, pools and files at the Tab key', async () => {
    const typed = await open();
    await typed('pool-managerd drai\t', 'pool-managerd drain ');
    expect(await typed('pool-managerd re\t\t', 'reload')).toMatch(/register[\s\S]*reload/);
    await typed('pool-managerd drain --dead\t', '--deadline');
    await typed('pool-managerd drain ch\t', 'drain chat');
    expect(await typed('pool-managerd drain c\t\t', 'code')).toContain('chat');
    await typed('pool-managerd config ch\t', 'config check');
    await typed('pool-managerd config check jour\t', 'config check journal.jsonl');
    await typed('pool-managerd completion f\t', 'completion fish');
    await typed('pool-managerd replay jour\t', 'replay journal.jsonl');
  });
});

describe.skipIf(fish === null)('fish', () => {
  it('completes commands, options, pools and files', async () => {
    const { dir, env } = await atHome();
    const offered = async (line: string): Promise<readonly string[]> => {
      const { stdout } = await run(fish ?? '', ['--no-config', '-c', `pool-managerd completion fish | source; complete -C '${line}'`], {
        env,
        cwd: dir,
      });
      return stdout
        .split('\n')
        .filter((word) => word !== '')
        .map((word) => word.split('\t')[0] ?? '');
    };
    expect(await offered('pool-managerd drai')).toEqual(['drain']);
    expect(await offered('pool-managerd re')).toEqual(expect.arrayContaining(['register', 'reload', 'remove', 'replay', 'resume']));
    expect(await offered('pool-managerd drain --dead')).toEqual(['--deadline']);
    expect(await offered('pool-managerd drain c')).toEqual(['chat', 'code']);
    expect(await offered('pool-managerd config ch')).toEqual(['check']);
    expect(await offered('pool-managerd config check jour')).toEqual(['journal.jsonl']);
    expect(await offered('pool-managerd completion f')).toEqual(['fish']);
    expect(await offered('pool-managerd replay jour')).toEqual(['journal.jsonl']);
    expect(await offered('pool-managerd drain jour')).toEqual([]);
  });
});
