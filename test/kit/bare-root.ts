/**
 * A file system in which there is next to nothing: the executable, the libraries it is linked to, a shell and setpriv. No Node, no
 * node_modules. Root only; the mounts are of the process's own namespace and go with it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { until } from './until.ts';

export interface BareRoot {
  readonly dir: string;
  /** What lies in it, by path. */
  files(): Promise<readonly string[]>;
  /** Starts a program in there. */
  start(program: string, args: readonly string[], env: Readonly<Record<string, string>>): ReturnType<typeof spawn>;
  /** Ends every process in it, and then itself. */
  remove(): Promise<void>;
}

const processesWithRoot = (dir: string): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/root`) === dir;
      } catch {
        return false;
      }
    })
    .map(Number);

/** Null: this machine can make one. */
export const whyNoBareRoot = (): string | null => {
  if (process.geteuid?.() !== 0) return 'needs root, to change the root directory';
  return ['/usr/bin/unshare', '/usr/sbin/chroot', '/usr/bin/setpriv', '/usr/bin/ldd'].find((tool) => !existsSync(tool)) ?? null;
};

export const makeBareRoot = async (executable: string): Promise<BareRoot> => {
  const dir = await mkdtemp(join(tmpdir(), 'pool-managerd-bare-'));
  const put = async (from: string, to = from): Promise<void> => {
    await mkdir(dirname(join(dir, to)), { recursive: true });
    await copyFile(from, join(dir, to));
  };
  for (const folder of ['proc', 'dev', 'tmp', 'srv']) await mkdir(join(dir, folder));
  const programs = [
    [executable, '/usr/bin/pool-managerd'],
    ['/bin/sh', '/bin/sh'],
    ['/usr/bin/setpriv', '/usr/bin/setpriv'],
  ] as const;
  for (const [from, to] of programs) {
    await put(from, to);
    const linked = execFileSync('ldd', [from], { encoding: 'utf8' });
    for (const [, library = ''] of linked.matchAll(/(\/\S+) \(0x/g)) await put(library);
  }
  await mkdir(join(dir, 'etc'), { recursive: true });
  await writeFile(join(dir, 'etc/passwd'), 'root:x:0:0::/srv:/bin/sh\n');
  return {
    dir,
    files: () => readdir(dir, { recursive: true }),
    start: (program, args, env) =>
      spawn(
        'unshare',
        ['--mount', 'sh', '-c', 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"', dir, program, ...args],
        { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/srv', ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
      ),
    remove: async () => {
      await until('nothing to run in there', () => {
        const left = processesWithRoot(dir);
        for (const pid of left) process.kill(pid, 'SIGKILL');
        return left.length === 0;
      });
      await rm(dir, { recursive: true, force: true });
    },
  };
};
