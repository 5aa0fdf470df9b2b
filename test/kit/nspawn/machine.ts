/**
 * A Debian machine with systemd as PID 1, booted in under a second and gone with the test: `boot.sh` in namespaces of its own.
 * Needs root, systemd-nspawn, D-Bus and polkit on this machine; where one is missing, `whyNoMachine` says which.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isAlive, type ProcIdentity } from '../../../src/os/proc-stat.ts';
import { descendantsOf, processLooker } from '../../../src/os/process-table.ts';
import { until } from '../until.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly user?: string;
  readonly timeoutMs?: number;
  readonly input?: string;
}

export interface Machine {
  /** Pid of its PID 1, seen from here. */
  readonly leader: number;
  /** A command in it, as root or `user`. */
  run(argv: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Its standard output; throws where it ends with anything but 0. */
  ok(argv: readonly string[], options?: RunOptions): Promise<string>;
  write(path: string, text: string, mode?: string): Promise<void>;
  /** A command that runs until its standard input ends. Its output, line by line. */
  follow(argv: readonly string[], onLine: (line: string) => void): { stop(): Promise<void> };
  console(): string;
  destroy(): Promise<void>;
}

const project = resolve(import.meta.dirname, '../../..');
const needed = ['/usr/bin/systemd-nspawn', '/usr/bin/nsenter', '/usr/bin/unshare', '/usr/bin/setpriv', '/usr/bin/dbus-daemon', '/usr/bin/pkcheck'];

/** Null: it can be booted here. */
export const whyNoMachine = (): string | null => {
  if (process.getuid?.() !== 0) return 'only root can boot a machine with systemd-nspawn';
  const missing = needed.filter((path) => !existsSync(path));
  if (missing.length > 0) return `not installed: ${missing.join(', ')} (packages systemd-container, dbus, polkitd, util-linux)`;
  return readFileSync('/proc/filesystems', 'utf8').includes('\toverlay') ? null : 'this kernel has no overlay file system';
};

/** As `su` does it, but without a session. */
const become = 'exec setpriv --reuid="$0" --regid="$(id -g "$0")" --init-groups -- "$@"';

const bootWithinMs = 60_000;
const commandWithinMs = 60_000;

/** `program`: what becomes `/usr/bin/pool-managerd`. */
export const bootMachine = async (program: string): Promise<Machine> => {
  const dir = mkdtempSync(join(tmpdir(), 'pool-managerd-machine-'));
  const log = join(dir, 'console');
  const inside = join(dir, 'tree');
  await exec('mkdir', [inside]);
  const output = openSync(log, 'a');
  // In namespaces of their own all its processes end with the first, which ends with this one, and its mounts with them.
  const alone = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=KILL', '--mount-proc'];
  const argv = ['--pdeathsig', 'KILL', 'unshare', ...alone, join(import.meta.dirname, 'boot.sh'), inside, project, program];
  const nspawn = spawn('setpriv', argv, { stdio: ['ignore', output, output] });
  const ended = new Promise<void>((settle) => nspawn.on('exit', () => settle()));
  const pidOne = await pidOneOf(nspawn.pid ?? 0, log);
  const leader = pidOne.pid;
  const enter = ['-t', String(leader), '-m', '-p', '-u', '-i', '-n', '-C', '-r', '-w'];
  const argvFor = (argv: readonly string[], user?: string): readonly string[] => [
    ...enter,
    ...(user === undefined ? [] : ['sh', '-c', become, user]),
    ...argv,
  ];

  const run: Machine['run'] = (argv, { user, timeoutMs = commandWithinMs, input } = {}) => exec('nsenter', argvFor(argv, user), timeoutMs, input);
  const ok: Machine['ok'] = async (argv, options) => {
    const { code, stdout, stderr } = await run(argv, options);
    if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stdout}${stderr}`);
    return stdout;
  };
  const machine: Machine = {
    leader,
    run,
    ok,
    write: async (path, text, mode = '644') => {
      await ok(['sh', '-c', 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"', 'sh', path, mode], { input: text });
    },
    follow: (argv, onLine) => {
      const child = spawn('nsenter', [...argvFor(argv)], { stdio: ['pipe', 'pipe', 'inherit'] });
      const gone = new Promise<void>((settle) => child.on('close', () => settle()));
      let rest = '';
      child.stdout.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) onLine(line);
      });
      return {
        stop: async () => {
          child.stdin.end();
          await gone;
        },
      };
    },
    console: () => readFileSync(log, 'utf8'),
    destroy: async () => {
      nspawn.kill('SIGKILL');
      await ended;
      await until('the machine to be gone', () => !isAlive(pidOne), 10_000);
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await until(
    'the machine to boot',
    async () => {
      if (nspawn.exitCode !== null) throw new Error(`systemd-nspawn ended with ${nspawn.exitCode}: ${readFileSync(log, 'utf8')}`);
      const { stdout } = await run(['systemctl', 'is-system-running']);
      return ['running', 'degraded'].includes(stdout.trim());
    },
    bootWithinMs,
  );
  return machine;
};

const pidOneOf = (parentPid: number, log: string): Promise<ProcIdentity> => {
  const look = processLooker();
  return until(
    'systemd-nspawn to start systemd',
    async () => {
      const table = await look(0);
      const parent = table.get(parentPid);
      if (parent === undefined) throw new Error(`systemd-nspawn ended: ${readFileSync(log, 'utf8')}`);
      return descendantsOf(table, parent).find(({ comm, ppid }) => comm === 'systemd' && table.get(ppid)?.comm === 'systemd-nspawn');
    },
    bootWithinMs,
  );
};

const exec = (file: string, args: readonly string[], timeoutMs = commandWithinMs, input?: string): Promise<Ran> =>
  new Promise((settle, fail) => {
    const child = execFile(file, args, { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') fail(new Error(`${file} ${args.join(' ')}: ${error.message} ${stderr}`));
      else settle({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
    // A command that ends without reading its input is judged by its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
