/** Faults of the kernel for a running process, by strace. Attaching is refused to all but root in most places. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { until } from './until.ts';

export const mayInject = process.geteuid?.() === 0 && spawnSync('strace', ['-o', '/dev/null', '-e', 'inject=fsync:error=EIO', 'true']).status === 0;

export interface Injection {
  /** The process goes on without faults. */
  end(): Promise<void>;
}

/** `path`: only calls about this file. Resolves when every thread is under it. */
export const inject = async (pid: number, faults: readonly string[], path?: string): Promise<Injection> => {
  const on = path === undefined ? [] : ['-P', path];
  const strace = spawn('strace', ['-f', '-q', '-p', String(pid), '-o', '/dev/null', ...on, ...faults.flatMap((fault) => ['-e', `inject=${fault}`])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(strace, 'exit');
  let heard = '';
  strace.stderr.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  await until(`strace to attach to ${pid}: ${heard}`, () => isTracedBy(pid, strace.pid) || strace.exitCode !== null);
  if (strace.exitCode !== null) throw new Error(`strace did not attach: ${heard}`);
  return {
    end: async () => {
      strace.kill('SIGINT');
      await ended;
    },
  };
};

const isTracedBy = (pid: number, tracer: number | undefined): boolean =>
  spawnSync('grep', ['-L', `TracerPid:\\s${tracer}$`, '-r', `/proc/${pid}/task`, '--include=status', '-s'], { encoding: 'utf8' }).stdout.trim() ===
  '';
