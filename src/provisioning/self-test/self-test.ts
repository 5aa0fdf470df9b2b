/**
 * What an engine has to show before it counts as installed: version and flags, devices, a token. An engine without CUDA is refused
 * unless the GPUs are simulated. Rejects with `engine_incompatible`, or with `start_stalled` where it did not answer in time, which is tried again.
 */
import { homedir } from 'node:os';
import { CauseError } from '../../cause.ts';
import type { EngineAdapter } from '../../engines/adapter.ts';
import { childRunner } from '../../gpu/run-child.ts';
import { askExecutable } from './ask-executable.ts';
import { generateToken } from './generate-token.ts';

export interface SelfTested {
  readonly version: string | null;
  readonly knownFlags: readonly string[] | null;
  /** Null: nobody looked, or it cannot be asked. */
  readonly devices: readonly string[] | null;
  readonly tokenMs: number | null;
}

export type SelfTest = (executable: string, adapter: EngineAdapter, signal: AbortSignal) => Promise<SelfTested>;

export interface SelfTestDeps {
  readonly simulated: boolean;
  readonly askDeadlineMs?: number;
  readonly tokenDeadlineMs?: number;
}

/** The first look at a card initialises the driver, which may take long. */
const usualAskMs = 30_000;
const usualTokenMs = 60_000;

/** To be asked, an engine needs no card and must touch none. */
export const askingEnvironment = (): Readonly<Record<string, string>> => ({
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: homedir(),
  LANG: 'C.UTF-8',
  CUDA_VISIBLE_DEVICES: '',
});

export const createSelfTest =
  ({ simulated, askDeadlineMs = usualAskMs, tokenDeadlineMs = usualTokenMs }: SelfTestDeps): SelfTest =>
  async (executable, adapter, signal) => {
    const env = askingEnvironment();
    const said = await askExecutable({ deadlineMs: askDeadlineMs })(executable, adapter, env, signal);
    const { selfTest, help } = adapter;
    if (selfTest === undefined || help === null) return { ...said, devices: null, tokenMs: null };
    const { CUDA_VISIBLE_DEVICES: none, ...seeing } = env;
    const listed = await output(executable, selfTest.devices.argv, simulated ? env : seeing, askDeadlineMs, signal);
    const devices = listed.text === null ? null : selfTest.devices.parse(listed.text);
    if (!simulated && !devices?.some((device) => /^CUDA\d/.test(device))) throw withoutCuda(executable, devices, listed.problem);
    const helped = await output(executable, help.argv, env, askDeadlineMs, signal);
    const tokenMs = await generateToken({ executable, adapter, help: helped.text ?? '', env, deadlineMs: tokenDeadlineMs }, signal);
    return { ...said, devices, tokenMs };
  };

interface Output {
  /** Of both streams; null: it did not end well. */
  readonly text: string | null;
  readonly problem: string | null;
}

const output = async (
  executable: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Output> => {
  const runner = childRunner({ executable, env });
  const stop = (): void => runner.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const result = await runner.run(argv, deadlineMs);
    signal.throwIfAborted();
    if (result.end === 'stuck')
      throw new CauseError({
        code: 'start_stalled',
        message: `expected ${executable} ${argv.join(' ')} to answer within ${deadlineMs} ms, found no answer (pid ${result.stuck.pid})`,
      });
    if (result.end !== 'exited') return { text: null, problem: `no answer to ${argv.join(' ')}: ${result.end}` };
    if (result.exitCode === 0) return { text: `${result.stdout}\n${result.stderr}`, problem: null };
    return {
      text: null,
      problem: `that ${argv.join(' ')} ended with ${result.signal ?? result.exitCode}: ${JSON.stringify(result.stderr.trim().slice(-300))}`,
    };
  } finally {
    signal.removeEventListener('abort', stop);
  }
};

const withoutCuda = (executable: string, devices: readonly string[] | null, problem: string | null): CauseError =>
  new CauseError({
    code: 'engine_incompatible',
    message: `expected ${executable} to list a CUDA device, found ${problem ?? (devices?.join(', ') || 'none')}; it would run on the CPU. Take a build with CUDA for the driver of this machine`,
    details: { devices },
  });
