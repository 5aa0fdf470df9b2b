/**
 * Makes the engine of a pool present: found on the machine, or installed, and asked for version and flags.
 * Undo: what is under way is given up, and gone on with by whoever asks next.
 */
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { fromPromise } from 'xstate';
import { CauseError, causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { EngineAdapter } from '../engines/adapter.ts';
import { adapterFor } from '../engines/index.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { EnginePresent, PoolSpec, Stamp } from '../machines/vocabulary.ts';
import type { Provisioning } from '../provisioning/provisioning.ts';
import { askExecutable } from '../provisioning/self-test/ask-executable.ts';
import { askingEnvironment } from '../provisioning/self-test/self-test.ts';
import { engineMissing, whyNotExecutable } from './launch/executable.ts';
import { tellPool } from './provision/tell-pool.ts';

export interface ProvisionEngineDeps {
  /** Folder of the pools file: relative paths begin here. */
  readonly baseDir: string;
  /** Where executables are looked for; default: PATH. */
  readonly path?: string;
  readonly askDeadlineMs?: number;
  readonly engineOf: Provisioning['engineOf'];
}

const defaultAskDeadlineMs = 10_000;

export const provisionEngine = (deps: ProvisionEngineDeps): typeof poolActors.provisionEngine => {
  const ask = askExecutable({ deadlineMs: deps.askDeadlineMs ?? defaultAskDeadlineMs });
  return fromPromise<EnginePresent & Stamp, { readonly spec: PoolSpec }>(async ({ input: { spec }, self, signal }) => {
    try {
      const work = deps.engineOf(spec);
      if (work !== null) return { ...(await work.run({ report: tellPool(self, 'engine'), signal })), ...stamp() };
      const adapter = adapterFor(spec.engine);
      const named = spec.provisioning.mode === 'external' ? spec.provisioning.executable : null;
      const executable = await findExecutable(named, adapter, deps);
      return { executable, ...(await ask(executable, adapter, askingEnvironment(), signal)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'engine_missing'), ...stamp() } satisfies Failure;
    }
  });
};

const findExecutable = (
  executable: string | null,
  adapter: EngineAdapter,
  { baseDir, path = process.env['PATH'] ?? '' }: ProvisionEngineDeps,
): Promise<string> => (executable === null ? onPath(adapter, path) : named(executable, baseDir, path));

/** A bare name is looked for on the PATH, as a shell would. */
const named = async (executable: string, baseDir: string, path: string): Promise<string> => {
  if (!executable.includes('/')) return firstOn(path, [executable]);
  const absolute = resolve(baseDir, executable);
  const problem = await whyNotExecutable(absolute);
  if (problem !== null) throw new CauseError(engineMissing(absolute, problem));
  return absolute;
};

const onPath = (adapter: EngineAdapter, path: string): Promise<string> => {
  if (adapter.executables.length > 0) return firstOn(path, adapter.executables);
  throw new CauseError({
    code: 'engine_missing',
    message: `expected \`provisioning.executable\`, since the engine ${adapter.name} has no name to look for on the PATH, found none`,
  });
};

const firstOn = async (path: string, names: readonly string[]): Promise<string> => {
  const dirs = path.split(delimiter).filter(isAbsolute);
  for (const candidate of dirs.flatMap((dir) => names.map((name) => join(dir, name)))) {
    if ((await whyNotExecutable(candidate)) === null) return candidate;
  }
  throw new CauseError({
    code: 'engine_missing',
    message: `expected ${names.join(' or ')} on the PATH (${dirs.join(delimiter)}), found none; install it or set \`provisioning.executable\``,
    details: { names, path: dirs },
  });
};
