/** An environment runs only where its path, its interpreter and the processor are what they were where it was made; anything else is refused. */
import { access, constants } from 'node:fs/promises';
import { machine } from 'node:os';
import { CauseError } from '../../../cause.ts';
import { childRunner } from '../../../gpu/run-child.ts';
import { askingEnvironment } from '../../self-test/self-test.ts';
import type { CarriedEnvironment } from '../manifest.ts';
import type { Interpreter } from './interpreter.ts';

const answerWithinMs = 30_000;
const otherwise = 'or let the installer find its wheels on this machine (PIP_FIND_LINKS, UV_FIND_LINKS)';

type Facts = Pick<CarriedEnvironment, 'path' | 'machine' | 'python'>;

/** `path`: where it would lie here. Rejects with `engine_incompatible`. */
export const needSameMachine = async (carried: Facts, path: string, key: string, signal: AbortSignal): Promise<void> => {
  if (carried.path !== path) {
    const cache = carried.path.slice(0, -`/engines/${key}/files`.length);
    throw unlike(
      `expected the environment to lie at ${carried.path} as where it was made, since its programs name that path, found that it would lie at ${path}`,
      `import it with POOL_MANAGERD_CACHE_DIR=${cache}, which the daemon has to be given too`,
    );
  }
  if (carried.machine !== machine())
    throw unlike(`expected a machine of ${carried.machine}, found ${machine()}`, `export it on a machine of ${machine()}`);
  const { version, path: python } = carried.python;
  const found = await versionOf(carried.python, signal);
  if (found !== version) throw unlike(`expected Python ${version} at ${python}, found ${found}`, `install Python ${version} there`);
};

/** Three numbers, or what was found in their place. */
const versionOf = async ({ path }: Interpreter, signal: AbortSignal): Promise<string> => {
  const isThere = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isThere) return 'no program at that path';
  const runner = childRunner({ executable: path, env: askingEnvironment() });
  const stop = (): void => runner.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    // Alone: without what variables, the working directory or site-packages would bring in.
    const result = await runner.run(['-I', '-S', '-c', 'import sys; print("%d.%d.%d" % sys.version_info[:3])'], answerWithinMs);
    signal.throwIfAborted();
    if (result.end !== 'exited') return `no answer within ${answerWithinMs} ms`;
    return result.exitCode === 0 ? result.stdout.trim().slice(0, 200) : `that it ended with ${result.signal ?? `exit code ${result.exitCode}`}`;
  } finally {
    signal.removeEventListener('abort', stop);
  }
};

const unlike = (found: string, todo: string): CauseError =>
  new CauseError({ code: 'engine_incompatible', message: `${found}; nothing of it was taken in. ${capital(todo)}, ${otherwise}` });

const capital = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
