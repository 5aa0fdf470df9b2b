/** What a llama-server that was just installed is asked to show. Pure. */
import { parseFlags } from './parse-help.ts';

/** `  CUDA0: NVIDIA H200 (142999 MiB, 142000 MiB free)` → `CUDA0: NVIDIA H200 (…)`. */
export const parseDevices = (output: string): readonly string[] => {
  const lines = output.split('\n');
  const listed = lines.slice(lines.findIndex((line) => /^Available devices:/.test(line)) + 1);
  return listed.map((line) => /^\s+([A-Za-z]+\d+: .*)$/.exec(line)?.[1]?.trim() ?? null).filter((device) => device !== null);
};

/** One that knows no sockets would open a port. */
export const serveTiny = (model: string, socket: string, help: string): readonly string[] | null => {
  const flags = parseFlags(help);
  if (!help.includes('.sock') || !['--model', '--host', '--ctx-size', '--parallel'].every((flag) => flags.includes(flag))) return null;
  const quick = flags.includes('--no-warmup') ? ['--no-warmup'] : [];
  return ['--model', model, '--host', socket, '--ctx-size', '64', '--parallel', '1', ...quick];
};
